// Command kv-plugin is a go-plugin gRPC plugin with a key-value store, the Go
// plugin that a Portcullis host is tested against.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"portcullis.invalid/interop/internal/kv"
)

func main() {
	data := flag.String("data", "", "also keep the values as files in `DIR`")
	versions := flag.String("versions", "1", "application versions served")
	printed := flag.Int("print", 0, "write `N` bytes to stdout during each Put")
	logLines := flag.Int("log-lines", 0, "log `N` lines at start")
	maxMessage := flag.Int("max-message", 64<<20, "largest message in `BYTES`, both ways")
	flag.Parse()

	store, err := newStore(*data, *printed)
	if err != nil {
		fail(err)
	}
	sets, err := (&kv.Plugin{Service: store}).Versions(*versions)
	if err != nil {
		fail(err)
	}

	logger := hclog.New(&hclog.LoggerOptions{
		Level:      hclog.Trace,
		Output:     os.Stderr,
		JSONFormat: true,
	})
	for i := range *logLines {
		logger.Info("start line", "number", i)
	}

	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey:   kv.CookieKey,
			MagicCookieValue: kv.CookieValue,
		},
		VersionedPlugins: sets,
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return plugin.DefaultGRPCServer(append(opts,
				grpc.MaxRecvMsgSize(*maxMessage),
				grpc.MaxSendMsgSize(*maxMessage),
			))
		},
		Logger: logger,
	})
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kv-plugin:", err)
	os.Exit(1)
}
