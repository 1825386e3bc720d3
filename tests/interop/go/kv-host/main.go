// Command kv-host launches a KV plugin with go-plugin and drives it, the Go
// host that a Portcullis plugin is tested against.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	exitRefused = 1 // checksum mismatch, version mismatch, or no such key
	exitFailed  = 2 // anything else, wrong usage included
)

const commands = "put KEY VALUE | get KEY | ping | version"

func main() {
	var opts options
	opts.register(flag.CommandLine)
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: kv-host -plugin FILE [flags] %s\n", commands)
		flag.PrintDefaults()
	}
	flag.Parse()

	if err := run(&opts, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "kv-host:", err)
		os.Exit(exitCode(err))
	}
}

// run returns after the plugin was killed.
func run(opts *options, args []string) error {
	if opts.plugin == "" || len(args) == 0 {
		return fmt.Errorf("need -plugin and a command: %s", commands)
	}
	command, args := args[0], args[1:]
	switch {
	case command == "put" && len(args) == 2,
		command == "get" && len(args) == 1,
		command == "ping" && len(args) == 0,
		command == "version" && len(args) == 0:
	default:
		return fmt.Errorf("unknown command or wrong number of arguments: %s", commands)
	}

	s, err := launch(opts)
	if err != nil {
		return err
	}
	defer s.kill()

	ctx, cancel := context.WithTimeout(context.Background(), opts.timeout)
	defer cancel()
	switch command {
	case "put":
		if _, err := s.kv.Put(ctx, &proto.PutRequest{Key: args[0], Value: []byte(args[1])}); err != nil {
			return err
		}
	case "get":
		reply, err := s.kv.Get(ctx, &proto.GetRequest{Key: args[0]})
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write(reply.Value); err != nil {
			return err
		}
	case "ping":
		if err := ping(ctx, s.protocol); err != nil {
			return err
		}
	case "version":
		fmt.Println(s.client.NegotiatedVersion())
	}
	return s.stdio.copyTo(ctx, os.Stdout)
}

// ping bounds go-plugin's Ping, which has no deadline of its own.
func ping(ctx context.Context, protocol plugin.ClientProtocol) error {
	done := make(chan error, 1)
	go func() { done <- protocol.Ping() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exitCode sorts an error. go-plugin has no error value for a version mismatch,
// only a text.
func exitCode(err error) int {
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, plugin.ErrChecksumsDoNotMatch),
		status.Code(err) == codes.NotFound,
		strings.Contains(text, "incompatible api version"),
		strings.Contains(text, "incompatible core api version"):
		return exitRefused
	default:
		return exitFailed
	}
}
