// Lines that the plugin logs, counted where an application receives them: in the
// output of its own logger.
package main

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"portcullis.invalid/interop/internal/bench"
)

// patience limits the wait for lines that never arrive.
const patience = 60 * time.Second

// counter counts the lines that are written to it.
type counter struct {
	lines atomic.Int64
	more  chan struct{}
}

func (c *counter) Write(p []byte) (int, error) {
	c.lines.Add(int64(bytes.Count(p, []byte("\n"))))
	select {
	case c.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func logLines(opts *options) error {
	counted := &counter{more: make(chan struct{}, 1)}
	s, err := launch(opts, counted)
	if err != nil {
		return err
	}
	defer s.client.Kill()
	if err := s.log(opts.count/5+1, counted); err != nil {
		return err
	}
	var perSecond []float64
	for range opts.repeats {
		begin := time.Now()
		if err := s.log(opts.count, counted); err != nil {
			return err
		}
		perSecond = append(perSecond, float64(opts.count)/time.Since(begin).Seconds())
	}
	return rates("lines", perSecond)
}

// log returns when the last line has arrived.
func (s *session) log(lines int, counted *counter) error {
	until := counted.lines.Load() + int64(lines)
	if _, err := s.bench.Log(context.Background(), &bench.LogRequest{Lines: uint32(lines)}); err != nil {
		return err
	}
	deadline := time.After(patience)
	for counted.lines.Load() < until {
		select {
		case <-counted.more:
		case <-deadline:
			return fmt.Errorf("not every line arrived")
		}
	}
	return nil
}
