package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// userID belongs to no account of the host.
const userID = 65532

type options struct {
	arch, version string
	created       time.Time
	extra         []file // such as the licence
}

// build returns the image. A base layer that seldom changes has the root certificates,
// the data folder and the extra files; the top layer has the program.
func build(program []byte, opts options) (v1.Image, error) {
	base, err := layer(append(baseFiles(), opts.extra...), opts.created)
	if err != nil {
		return nil, err
	}
	top, err := layer([]file{{name: "dmconnector", mode: 0o755, data: program}}, opts.created)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, base, top)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, configFile(img, opts))
}

// configFile returns the same settings as the Dockerfile.
func configFile(img v1.Image, opts options) *v1.ConfigFile {
	config := &v1.ConfigFile{
		OS: "linux", Architecture: opts.arch, Created: v1.Time{Time: opts.created},
		Config: v1.Config{
			User:         fmt.Sprintf("%d:%d", userID, userID),
			Entrypoint:   []string{"/dmconnector"},
			Cmd:          []string{"serve"},
			Env:          []string{"DMCONNECTOR_LISTEN=0.0.0.0:8080", "DMCONNECTOR_DATA=/data"},
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
			Volumes:      map[string]struct{}{"/data": {}},
			StopSignal:   "SIGTERM",
			Healthcheck: &v1.HealthConfig{
				Test:     []string{"CMD", "/dmconnector", "healthcheck"},
				Interval: 10 * time.Second, Timeout: 6 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
			},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "dmconnector",
				"org.opencontainers.image.description": "Sends verification mail through Aliyun Direct Mail",
				"org.opencontainers.image.licenses":    "Apache-2.0",
				"org.opencontainers.image.version":     opts.version,
			},
		},
	}
	// Keep what mutate has added to the image.
	if built, err := img.ConfigFile(); err == nil {
		config.RootFS, config.History = built.RootFS, built.History
	}
	return config
}

type file struct {
	name  string
	mode  int64
	owner int
	data  []byte // nil for a folder
}

// readFiles reads files that belong in the image's root.
func readFiles(paths []string) ([]file, error) {
	var files []file
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: filepath.Base(path), mode: 0o644, data: data})
	}
	return files, nil
}

func baseFiles() []file {
	return []file{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: fmt.Appendf(nil, "dmconnector:x:%d:\n", userID)},
		{name: "etc/passwd", mode: 0o644, data: fmt.Appendf(nil, "dmconnector:x:%d:%d::/data:/none\n", userID, userID)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: authorities()},
		// A new volume gets its owner from here.
		{name: "data/", mode: 0o700, owner: userID},
	}
}

// authorities returns Mozilla's root certificates, from the Go project. Those with
// constraints are left out: PEM cannot express them.
func authorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writing to a buffer does not fail.
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return out.Bytes()
}

func layer(files []file, created time.Time) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)),
			Uid: f.owner, Gid: f.owner, ModTime: created, Format: tar.FormatPAX,
		}
		if f.data == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithCompressionLevel(9))
}

// compressedSize returns the bytes that a pull of the image transfers.
func compressedSize(img v1.Image) (int64, error) {
	manifest, err := img.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, l := range manifest.Layers {
		size += l.Size
	}
	return size, nil
}
