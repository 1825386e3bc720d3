// Many plugins of one host, kept idle while their processes are measured: after
// the launch, and after some work.
package main

import (
	"errors"
	"strconv"
	"sync"
	"time"
)

// fleetAtOnce is the number of concurrent launches.
const fleetAtOnce = 8

// The load has a few large messages besides its small ones.
const (
	large      = 1 << 20
	largeCalls = 20
)

func fleet(opts *options) error {
	begin := time.Now()
	sessions, err := launchAll(opts)
	defer killAll(sessions)
	if err != nil {
		return err
	}
	if err := times("start", []time.Duration{time.Since(begin)}); err != nil {
		return err
	}
	pids := make([]int, len(sessions))
	for i, s := range sessions {
		if pids[i], err = strconv.Atoi(s.client.ID()); err != nil {
			return err
		}
	}
	if err := show("idle", pids); err != nil || opts.count == 0 {
		return err
	}
	for _, s := range sessions {
		if err := s.load(opts); err != nil {
			return err
		}
	}
	return show("loaded", pids)
}

// launchAll returns when every plugin has answered.
func launchAll(opts *options) ([]*session, error) {
	places := make(chan struct{}, fleetAtOnce)
	var lock sync.Mutex
	var sessions []*session
	var failures error
	var group sync.WaitGroup
	for range opts.plugins {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			s, err := launch(opts, nil)
			if err == nil {
				err = s.echo(payload(opts.bytes))
			}
			lock.Lock()
			defer lock.Unlock()
			failures = errors.Join(failures, err)
			if s != nil {
				sessions = append(sessions, s)
			}
		})
	}
	group.Wait()
	return sessions, failures
}

func killAll(sessions []*session) {
	var group sync.WaitGroup
	for _, s := range sessions {
		group.Go(s.client.Kill)
	}
	group.Wait()
}

func (s *session) load(opts *options) error {
	for _, work := range []struct{ calls, bytes int }{{opts.count, opts.bytes}, {largeCalls, large}} {
		data := payload(work.bytes)
		for range work.calls {
			if err := s.echo(data); err != nil {
				return err
			}
		}
	}
	return nil
}
