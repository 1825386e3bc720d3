// One plugin, launched and ready to be called.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"portcullis.invalid/interop/internal/bench"
)

type session struct {
	client *plugin.Client
	bench  *bench.Client
}

// launch starts the plugin. The connection is lazy: only a call shows whether
// the plugin responds.
func launch(opts *options, log io.Writer) (*session, error) {
	client := plugin.NewClient(opts.config(log))
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, err
	}
	raw, err := protocol.Dispense(bench.Name)
	if err != nil {
		client.Kill()
		return nil, err
	}
	return &session{client, raw.(*bench.Client)}, nil
}

func (o *options) config(log io.Writer) *plugin.ClientConfig {
	config := &plugin.ClientConfig{
		HandshakeConfig:  bench.Handshake,
		Plugins:          plugin.PluginSet{bench.Name: &bench.Plugin{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              exec.Command(o.plugin, o.arguments...),
		AutoMTLS:         !o.plaintext,
		Logger:           hclog.NewNullLogger(),
	}
	if o.check != "none" {
		config.SecureConfig = &plugin.SecureConfig{Checksum: o.sha256, Hash: sha256.New()}
	}
	if log != nil {
		config.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: log})
	}
	return config
}

func (s *session) echo(payload []byte) error {
	answer, err := s.bench.Echo(context.Background(), &bench.Payload{Data: payload})
	if err != nil {
		return err
	}
	if len(answer.Data) != len(payload) {
		return fmt.Errorf("the answer is not what was sent")
	}
	return nil
}

func payload(size int) []byte { return bytes.Repeat([]byte("x"), size) }
