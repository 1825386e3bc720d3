// Package bench holds what the bench plugin and host share: the cookie, and
// the Bench service over the messages that `cargo codegen` makes from
// benches/proto/bench.proto. The required modules contain no generator for
// the service itself; this file is what it would write.
package bench

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// Name is the key of the plugin in every plugin set.
const Name = "bench"

// Handshake is the configuration that host and plugin must share.
var Handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "PORTCULLIS_BENCH",
	MagicCookieValue: "measured",
}

// FirstLine is the argument that makes a plugin print one line and exit.
const FirstLine = "--first-line"

const service = "portcullis.bench.Bench"

// Server is the service as a plugin implements it.
type Server interface {
	Echo(context.Context, *Payload) (*Payload, error)
	Stream(*StreamRequest, grpc.ServerStreamingServer[Payload]) error
	Log(context.Context, *LogRequest) (*LogReply, error)
}

// Plugin serves Service in the plugin process and hands out a *Client in the
// host process. Service may be nil in a host.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Service Server
}

// GRPCServer registers the service.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&description, p.Service)
	return nil
}

// GRPCClient returns the *Client that a host dispenses.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &Client{c}, nil
}

// Client calls the service.
type Client struct{ conn *grpc.ClientConn }

// Echo sends a payload and receives it back.
func (c *Client) Echo(ctx context.Context, in *Payload) (*Payload, error) {
	out := new(Payload)
	return out, c.conn.Invoke(ctx, "/"+service+"/Echo", in, out)
}

// Log makes the plugin log lines.
func (c *Client) Log(ctx context.Context, in *LogRequest) (*LogReply, error) {
	out := new(LogReply)
	return out, c.conn.Invoke(ctx, "/"+service+"/Log", in, out)
}

// Stream makes the plugin send messages.
func (c *Client) Stream(ctx context.Context, in *StreamRequest) (grpc.ServerStreamingClient[Payload], error) {
	raw, err := c.conn.NewStream(ctx, &description.Streams[0], "/"+service+"/Stream")
	if err != nil {
		return nil, err
	}
	stream := &grpc.GenericClientStream[StreamRequest, Payload]{ClientStream: raw}
	if err := stream.SendMsg(in); err != nil {
		return nil, err
	}
	return stream, stream.CloseSend()
}

var description = grpc.ServiceDesc{
	ServiceName: service,
	HandlerType: (*Server)(nil),
	Methods: []grpc.MethodDesc{
		{MethodName: "Echo", Handler: unary(Server.Echo)},
		{MethodName: "Log", Handler: unary(Server.Log)},
	},
	Streams: []grpc.StreamDesc{{StreamName: "Stream", Handler: stream, ServerStreams: true}},
}

// unary adapts a method of Server to grpc.Server. No interceptor
// is installed here, so none is called.
func unary[In, Out any](method func(Server, context.Context, *In) (*Out, error)) grpc.MethodHandler {
	return func(s any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		return method(s.(Server), ctx, in)
	}
}

func stream(s any, raw grpc.ServerStream) error {
	in := new(StreamRequest)
	if err := raw.RecvMsg(in); err != nil {
		return err
	}
	return s.(Server).Stream(in, &grpc.GenericServerStream[StreamRequest, Payload]{ServerStream: raw})
}
