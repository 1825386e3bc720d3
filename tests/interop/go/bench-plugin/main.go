// Command bench-plugin is the go-plugin plugin that is measured beside
// Portcullis's: it responds, streams and logs on request.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"portcullis.invalid/interop/internal/bench"
)

const maxMessage = 64 << 20

func main() {
	// Before anything else: this is the floor to which a launch is compared.
	if slices.Contains(os.Args[1:], bench.FirstLine) {
		fmt.Println("first line")
		return
	}
	logger := hclog.New(&hclog.LoggerOptions{
		Name:       "bench",
		Level:      hclog.Info,
		Output:     os.Stderr,
		JSONFormat: true,
	})
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: bench.Handshake,
		Plugins:         plugin.PluginSet{bench.Name: &bench.Plugin{Service: server{logger}}},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return plugin.DefaultGRPCServer(append(opts,
				grpc.MaxRecvMsgSize(maxMessage),
				grpc.MaxSendMsgSize(maxMessage),
			))
		},
		Logger: logger,
	})
}

type server struct{ logger hclog.Logger }

func (s server) Echo(_ context.Context, in *bench.Payload) (*bench.Payload, error) {
	return &bench.Payload{Data: in.Data}, nil
}

func (s server) Stream(in *bench.StreamRequest, out grpc.ServerStreamingServer[bench.Payload]) error {
	if in.Bytes >= maxMessage {
		return status.Error(codes.InvalidArgument, "messages of that size are not taken")
	}
	message := &bench.Payload{Data: bytes.Repeat([]byte("x"), int(in.Bytes))}
	for range in.Messages {
		if err := out.Send(message); err != nil {
			return err
		}
	}
	return nil
}

func (s server) Log(_ context.Context, in *bench.LogRequest) (*bench.LogReply, error) {
	for number := range in.Lines {
		s.logger.Info("a line", "number", number)
	}
	return &bench.LogReply{}, nil
}
