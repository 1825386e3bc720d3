// Calls on one running plugin: sequential, concurrent, and streams.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"portcullis.invalid/interop/internal/bench"
)

func unary(opts *options) error {
	s, err := launch(opts, nil)
	if err != nil {
		return err
	}
	defer s.client.Kill()
	if _, err := s.inFlight(opts, opts.count/5+1); err != nil {
		return err
	}
	var calls []time.Duration
	var perSecond []float64
	for range opts.repeats {
		begin := time.Now()
		batch, err := s.inFlight(opts, opts.count)
		if err != nil {
			return err
		}
		perSecond = append(perSecond, float64(len(batch))/time.Since(begin).Seconds())
		calls = append(calls, batch...)
	}
	if err := times("call", calls); err != nil {
		return err
	}
	return rates("calls", perSecond)
}

type called struct {
	took []time.Duration
	err  error
}

// inFlight makes at least count calls, opts.atOnce of them concurrently, and
// returns the duration of each.
func (s *session) inFlight(opts *options, count int) ([]time.Duration, error) {
	each := (count + opts.atOnce - 1) / opts.atOnce
	results := make(chan called)
	for range opts.atOnce {
		go func() {
			data := payload(opts.bytes)
			took := make([]time.Duration, 0, each)
			for range each {
				begin := time.Now()
				if err := s.echo(data); err != nil {
					results <- called{nil, err}
					return
				}
				took = append(took, time.Since(begin))
			}
			results <- called{took, nil}
		}()
	}
	var all []time.Duration
	var failures error
	for range opts.atOnce {
		result := <-results
		failures = errors.Join(failures, result.err)
		all = append(all, result.took...)
	}
	return all, failures
}

func stream(opts *options) error {
	s, err := launch(opts, nil)
	if err != nil {
		return err
	}
	defer s.client.Kill()
	if err := s.receive(opts, opts.count/5+1); err != nil {
		return err
	}
	var perSecond []float64
	for range opts.repeats {
		begin := time.Now()
		if err := s.receive(opts, opts.count); err != nil {
			return err
		}
		perSecond = append(perSecond, float64(opts.count)/time.Since(begin).Seconds())
	}
	return rates("messages", perSecond)
}

func (s *session) receive(opts *options, messages int) error {
	request := &bench.StreamRequest{Messages: uint32(messages), Bytes: uint32(opts.bytes)}
	stream, err := s.bench.Stream(context.Background(), request)
	if err != nil {
		return err
	}
	received := 0
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(message.Data) != opts.bytes {
			return fmt.Errorf("a message is not as long as was asked for")
		}
		received++
	}
	if received != messages {
		return fmt.Errorf("%d messages came, not %d", received, messages)
	}
	return nil
}
