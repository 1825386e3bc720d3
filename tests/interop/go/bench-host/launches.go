// The launch work: the time until the first response, and the time until the
// plugin has exited.
package main

import (
	"bytes"
	"errors"
	"runtime"
	"time"
)

type launched struct {
	session *session
	took    time.Duration
	err     error
}

func launches(opts *options) error {
	// Written, or the kernel would not allocate the pages.
	ballast := bytes.Repeat([]byte{1}, opts.ballast<<20)
	var starts, ends []time.Duration
	for range opts.repeats {
		sessions, err := launchAtOnce(opts)
		for _, s := range sessions {
			if s.session == nil {
				continue
			}
			starts = append(starts, s.took)
			begin := time.Now()
			s.session.client.Kill()
			ends = append(ends, time.Since(begin))
		}
		if err != nil {
			return err
		}
	}
	runtime.KeepAlive(ballast)
	if err := times("launch", starts); err != nil {
		return err
	}
	return times("shutdown", ends)
}

// launchAtOnce launches plugins concurrently, and times each from the common
// start to its first response.
func launchAtOnce(opts *options) ([]launched, error) {
	results := make(chan launched)
	begin := time.Now()
	for range opts.atOnce {
		go func() {
			s, err := launch(opts, nil)
			if err == nil {
				err = s.echo(payload(opts.bytes))
			}
			results <- launched{s, time.Since(begin), err}
		}()
	}
	var all []launched
	var failures error
	for range opts.atOnce {
		result := <-results
		failures = errors.Join(failures, result.err)
		all = append(all, result)
	}
	return all, failures
}
