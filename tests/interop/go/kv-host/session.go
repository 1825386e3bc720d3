// The flags common to all commands, and one launched and connected plugin.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"portcullis.invalid/interop/internal/kv"
)

type options struct {
	plugin      string
	args        []string
	env         []string
	cookie      string
	sha256      string
	versions    string
	autoMTLS    bool
	verbose     bool
	awaitStdout int
	timeout     time.Duration
}

func (o *options) register(flags *flag.FlagSet) {
	flags.StringVar(&o.plugin, "plugin", "", "run the plugin `FILE`")
	flags.Func("arg", "argument for the plugin, repeatable", appendTo(&o.args))
	flags.Func("env", "`KEY=VALUE` for the plugin's environment, repeatable", appendTo(&o.env))
	flags.StringVar(&o.cookie, "cookie", kv.CookieKey+"="+kv.CookieValue, "magic cookie as `KEY=VALUE`")
	flags.StringVar(&o.sha256, "sha256", "", "expected SHA-256 of the plugin file, in `HEX`")
	flags.StringVar(&o.versions, "versions", "1", "application versions offered")
	flags.BoolVar(&o.autoMTLS, "automtls", true, "use AutoMTLS")
	flags.BoolVar(&o.verbose, "v", false, "show go-plugin's and the plugin's logs on stderr")
	flags.IntVar(&o.awaitStdout, "await-stdout", 0,
		"after the command, copy the first `N` bytes of the plugin's stdout stream to stdout")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "limit for the start, and for the call")
}

func appendTo(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

// clientConfig returns a fresh configuration: neither the command nor the hash
// in a go-plugin configuration can be used twice.
func (o *options) clientConfig(stdio *stdioBuffer) (*plugin.ClientConfig, error) {
	cookieKey, cookieValue, ok := strings.Cut(o.cookie, "=")
	if !ok {
		return nil, fmt.Errorf("cookie %q is not KEY=VALUE", o.cookie)
	}
	sets, err := (&kv.Plugin{}).Versions(o.versions)
	if err != nil {
		return nil, err
	}
	var secure *plugin.SecureConfig
	if o.sha256 != "" {
		sum, err := hex.DecodeString(o.sha256)
		if err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("%q is not a SHA-256 in hex", o.sha256)
		}
		secure = &plugin.SecureConfig{Checksum: sum, Hash: sha256.New()}
	}
	logger := hclog.NewNullLogger()
	if o.verbose {
		logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr})
	}

	// SkipHostEnv only keeps go-plugin from adding the host's environment
	// after ours, where it would win over -env.
	command := exec.Command(o.plugin, o.args...)
	command.Env = append(os.Environ(), o.env...)
	return &plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			MagicCookieKey:   cookieKey,
			MagicCookieValue: cookieValue,
		},
		VersionedPlugins: sets,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              command,
		SkipHostEnv:      true,
		SecureConfig:     secure,
		AutoMTLS:         o.autoMTLS,
		StartTimeout:     o.timeout,
		SyncStdout:       stdio,
		Logger:           logger,
	}, nil
}

// session is a running plugin with an open connection. The connection is lazy,
// so only a call shows whether the plugin responds.
type session struct {
	client   *plugin.Client
	protocol plugin.ClientProtocol
	kv       proto.KVClient
	stdio    *stdioBuffer
}

func launch(opts *options) (*session, error) {
	stdio := newStdioBuffer(opts.awaitStdout)
	config, err := opts.clientConfig(stdio)
	if err != nil {
		return nil, err
	}
	return start(plugin.NewClient(config), stdio)
}

func start(client *plugin.Client, stdio *stdioBuffer) (*session, error) {
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, err
	}
	raw, err := protocol.Dispense(kv.Name)
	if err != nil {
		client.Kill()
		return nil, err
	}
	return &session{client, protocol, raw.(proto.KVClient), stdio}, nil
}

func (s *session) kill() { s.client.Kill() }

// stdioBuffer keeps the first limit bytes of a plugin's stdout stream.
type stdioBuffer struct {
	limit int
	full  chan struct{} // closed when limit bytes have arrived

	mu   sync.Mutex
	data bytes.Buffer
}

func newStdioBuffer(limit int) *stdioBuffer {
	b := &stdioBuffer{limit: limit, full: make(chan struct{})}
	if limit == 0 {
		close(b.full)
	}
	return b
}

func (b *stdioBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if room := b.limit - b.data.Len(); room > 0 {
		b.data.Write(p[:min(room, len(p))])
		if b.data.Len() == b.limit {
			close(b.full)
		}
	}
	return len(p), nil
}

// copyTo waits for the buffer to fill up and writes it to w.
func (b *stdioBuffer) copyTo(ctx context.Context, w io.Writer) error {
	select {
	case <-b.full:
		_, err := w.Write(b.data.Bytes())
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the plugin's stdout: %w", ctx.Err())
	}
}
