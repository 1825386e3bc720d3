// The lines that the host prints, and the line that it waits for.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"time"
)

type measured struct {
	Metric  string    `json:"metric"`
	Unit    string    `json:"unit"`
	Samples []float64 `json:"samples"`
}

type state struct {
	State string `json:"state"`
	PIDs  []int  `json:"pids"`
}

func times(metric string, took []time.Duration) error {
	samples := make([]float64, len(took))
	for i, d := range took {
		samples[i] = float64(d.Nanoseconds()) / 1000
	}
	return json.NewEncoder(os.Stdout).Encode(measured{metric, "us", samples})
}

func rates(metric string, samples []float64) error {
	return json.NewEncoder(os.Stdout).Encode(measured{metric, "per_second", samples})
}

var input = bufio.NewReader(os.Stdin)

// show reports a state to the parent process, and waits until the parent has
// measured it.
func show(name string, plugins []int) error {
	if err := json.NewEncoder(os.Stdout).Encode(state{name, plugins}); err != nil {
		return err
	}
	_, err := input.ReadString('\n')
	return err
}
