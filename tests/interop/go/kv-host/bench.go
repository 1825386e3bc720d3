// The bench command: launch cost and round-trip time, printed as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"time"

	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/proto"
)

const (
	benchKey    = "bench"
	valueBytes  = 100
	warmUpCalls = 200
)

type benchResult struct {
	LaunchToFirstCall []float64 `json:"launch_to_first_call_us"`
	Call              []float64 `json:"call_us"`
}

func bench(opts *options, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	launches := flags.Int("launches", 30, "timed launches")
	calls := flags.Int("calls", 2000, "timed calls on one connection")
	if err := flags.Parse(args); err != nil {
		return err
	}

	result := benchResult{
		LaunchToFirstCall: make([]float64, 0, *launches),
		Call:              make([]float64, 0, *calls),
	}
	for range *launches {
		s, elapsed, err := launchAndPut(opts)
		if err != nil {
			return err
		}
		s.kill()
		result.LaunchToFirstCall = append(result.LaunchToFirstCall, elapsed)
	}

	s, _, err := launchAndPut(opts)
	if err != nil {
		return err
	}
	defer s.kill()
	for i := range warmUpCalls + *calls {
		begin := time.Now()
		if _, err := s.kv.Get(context.Background(), &proto.GetRequest{Key: benchKey}); err != nil {
			return err
		}
		if i >= warmUpCalls {
			result.Call = append(result.Call, microseconds(time.Since(begin)))
		}
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// launchAndPut times a launch up to the return of the first call. Building the
// configuration is not part of it.
func launchAndPut(opts *options) (*session, float64, error) {
	stdio := newStdioBuffer(0)
	config, err := opts.clientConfig(stdio)
	if err != nil {
		return nil, 0, err
	}
	client := plugin.NewClient(config)
	value := bytes.Repeat([]byte("v"), valueBytes)
	ctx, cancel := context.WithTimeout(context.Background(), opts.timeout)
	defer cancel()

	begin := time.Now()
	s, err := start(client, stdio)
	if err != nil {
		return nil, 0, err
	}
	if _, err := s.kv.Put(ctx, &proto.PutRequest{Key: benchKey, Value: value}); err != nil {
		s.kill()
		return nil, 0, err
	}
	return s, microseconds(time.Since(begin)), nil
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
