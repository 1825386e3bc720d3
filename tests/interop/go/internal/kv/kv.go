// Package kv holds what the interop plugin and host share: the cookie, the
// dispense name, and the adapter that ties the KV service to go-plugin.
package kv

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc"
)

// Name is the key of the plugin in every plugin set.
const Name = "kv"

// The cookie that the plugin expects and that the host sends by default.
const (
	CookieKey   = "BASIC_PLUGIN"
	CookieValue = "hello"
)

// Plugin serves Service in the plugin process and hands out a proto.KVClient in
// the host process. Service may be nil in a host.
type Plugin struct {
	plugin.NetRPCUnsupportedPlugin
	Service proto.KVServer
}

// GRPCServer registers the KV service.
func (p *Plugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	proto.RegisterKVServer(s, p.Service)
	return nil
}

// GRPCClient returns the proto.KVClient that a host dispenses.
func (p *Plugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return proto.NewKVClient(c), nil
}

// Versions offers p under every version of a comma-separated list.
func (p *Plugin) Versions(list string) (map[int]plugin.PluginSet, error) {
	sets := make(map[int]plugin.PluginSet)
	for part := range strings.SplitSeq(list, ",") {
		v, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("version list %q: %w", list, err)
		}
		sets[v] = plugin.PluginSet{Name: p}
	}
	return sets, nil
}
