// Command image packs a static dmconnector into a container image without a
// container engine, the same image for the same program every time.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	var opts options
	program := flag.String("program", "", "the static Linux program `file`")
	out := flag.String("out", "", "the archive `file` to write, for docker load, podman load or crane push")
	tag := flag.String("tag", "dmconnector:latest", "the image's `name` inside the archive")
	created := flag.Int64("created", 0, "the image's time, in `seconds` of Unix")
	flag.StringVar(&opts.arch, "arch", "amd64", "the program's `architecture`, as Go calls it")
	flag.StringVar(&opts.version, "version", "", "the `version` for the image's label")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: image [flags] [FILE...]\nThe files are copied to the root of the image.")
		flag.PrintDefaults()
	}
	flag.Parse()
	opts.created = time.Unix(*created, 0).UTC()
	if err := run(*program, flag.Args(), *out, *tag, opts); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(program string, extra []string, out, tag string, opts options) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	if opts.extra, err = readFiles(extra); err != nil {
		return err
	}
	img, err := build(data, opts)
	if err != nil {
		return err
	}
	ref, err := name.NewTag(tag)
	if err != nil {
		return err
	}
	if err := tarball.WriteToFile(out, ref, img); err != nil {
		return err
	}
	size, err := compressedSize(img)
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.1f MB compressed, %s\n", out, float64(size)/1e6, digest)
	return nil
}
