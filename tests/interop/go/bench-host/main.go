// Command bench-host is the go-plugin host that is measured beside
// Portcullis's. It takes the same arguments and prints the same lines of JSON:
// see benches/src/bin/bench-host/main.rs.
package main

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
)

type options struct {
	plugin    string
	arguments []string
	sha256    []byte
	check     string
	plaintext bool
	repeats   int
	atOnce    int
	count     int
	bytes     int
	plugins   int
	ballast   int
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-host:", err)
		os.Exit(1)
	}
}

func run() error {
	var opts options
	flag.StringVar(&opts.plugin, "plugin", "", "the plugin `FILE`")
	flag.Func("arg", "argument for the plugin, repeatable", func(argument string) error {
		opts.arguments = append(opts.arguments, argument)
		return nil
	})
	flag.Func("sha256", "the digest of the plugin in `HEX`", func(text string) (err error) {
		opts.sha256, err = hex.DecodeString(text)
		return err
	})
	flag.StringVar(&opts.check, "check", "none", "none, first or cached; go-plugin keeps nothing, and hashes each time")
	flag.BoolVar(&opts.plaintext, "plaintext", false, "without TLS")
	flag.IntVar(&opts.repeats, "repeats", 1, "how often the work is done and timed")
	flag.IntVar(&opts.atOnce, "at-once", 1, "how many launches or calls are under way at once")
	flag.IntVar(&opts.count, "count", 0, "how many calls, messages or lines each repeat has")
	flag.IntVar(&opts.bytes, "bytes", 100, "the size of a message")
	flag.IntVar(&opts.plugins, "plugins", 1, "how many plugins a fleet has")
	flag.IntVar(&opts.ballast, "ballast", 0, "how much memory the host holds besides, in MiB")
	flag.Parse()

	works := map[string]func(*options) error{
		"launch": launches, "unary": unary, "stream": stream, "log": logLines, "fleet": fleet,
	}
	work, known := works[flag.Arg(0)]
	if !known || flag.NArg() != 1 {
		return fmt.Errorf("need one work: launch, unary, stream, log or fleet")
	}
	return work(&opts)
}
