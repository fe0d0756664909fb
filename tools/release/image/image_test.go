package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var imageFile = flag.String("image", "", "the image's archive `file` to test; without it one is built from the source")

const maxSize = 30e6

// theImage returns the image to test: the one of -image, or one built from the source.
func theImage(t *testing.T) v1.Image {
	t.Helper()
	if *imageFile != "" {
		img, err := tarball.ImageFromPath(*imageFile, nil)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	program := filepath.Join(t.TempDir(), "dmconnector")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "timetzdata", "-ldflags", "-s -w", "-o", program, "./cmd/dmconnector")
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	extra, err := readFiles([]string{"../../../LICENSE", "../../../NOTICE"})
	if err != nil {
		t.Fatal(err)
	}
	img, err := build(data, options{arch: runtime.GOARCH, version: "test", extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestTheSameProgramMakesTheSameImage(t *testing.T) {
	digests := map[string]bool{}
	for range 2 {
		img, err := build([]byte("program"), options{arch: "arm64", version: "v1.2.3", created: time.Unix(1700000000, 0)})
		if err != nil {
			t.Fatal(err)
		}
		digest, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests[digest.String()] = true
	}
	if len(digests) != 1 {
		t.Error(digests)
	}
}

func TestAuthorities(t *testing.T) {
	rest, count := authorities(), 0
	for block, next := pem.Decode(rest); block != nil; block, next = pem.Decode(rest) {
		rest = next
		count++
	}
	if count < 80 || len(rest) != 0 {
		t.Errorf("%d certificates, then %d bytes", count, len(rest))
	}
}

// Images of the Dockerfile and of this program have the same settings.
func TestDockerfileSaysTheSame(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, final, found := strings.Cut(string(data), "FROM scratch\n")
	if !found {
		t.Fatal("no FROM scratch")
	}
	final = strings.ReplaceAll(final, "\\\n", "")
	config := configFile(emptyImage(t), options{}).Config
	entrypoint, cmd := asJSON(t, config.Entrypoint), asJSON(t, config.Cmd)
	health := config.Healthcheck
	want := []string{
		"COPY LICENSE NOTICE /",
		"USER " + config.User,
		"ENTRYPOINT " + entrypoint, "CMD " + cmd,
		"ENV " + strings.Join(config.Env, " "),
		"EXPOSE 8080", "VOLUME /data",
		fmt.Sprintf("HEALTHCHECK --interval=%s --timeout=%s --start-period=%s --retries=%d CMD %s",
			health.Interval, health.Timeout, health.StartPeriod, health.Retries, asJSON(t, health.Test[1:])),
	}
	lines := map[string]bool{}
	for line := range strings.Lines(final) {
		lines[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, line := range want {
		if !lines[line] {
			t.Errorf("the Dockerfile has no line %q", line)
		}
	}
}

func emptyImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := build(nil, options{})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func asJSON(t *testing.T, v []string) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), `","`, `", "`)
}

// The image is unpacked and run as a container would: in its own root, which is
// read-only but for the data, by its user.
func TestImageRuns(t *testing.T) {
	img := theImage(t)
	size, err := compressedSize(img)
	if err != nil || size > maxSize {
		t.Errorf("compressed size %d, %v", size, err)
	}
	t.Logf("%.1f MB compressed", float64(size)/1e6)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != runtime.GOARCH || runtime.GOOS != "linux" {
		t.Skipf("an image for linux/%s does not run on this machine", config.Architecture)
	}
	root := t.TempDir()
	unpack(t, img, root)
	for _, name := range []string{"LICENSE", "NOTICE"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	run := container{root: root, env: append(config.Config.Env, "DMCONNECTOR_LISTEN=127.0.0.1:0")}
	run.prepare(t)

	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	serve := run.command(ctx, append(config.Config.Entrypoint, config.Config.Cmd...)...)
	stderr, err := serve.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	port := listeningPort(t, stderr)
	go io.Copy(io.Discard, stderr)

	for _, ready := range []string{"--ready=false", "--ready"} {
		health := append(config.Config.Healthcheck.Test[1:], "--listen", "127.0.0.1:"+port, ready)
		if out, err := run.command(ctx, health...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v: %s", health, err, out)
		}
	}
	if err := syscall.Kill(serve.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	// A failed check has another exit status.
	if err := run.command(ctx, config.Config.Healthcheck.Test[1], "healthcheck", "--listen", "127.0.0.1:"+port).Run(); err == nil {
		t.Error("healthcheck succeeds without a service")
	}
}

func listeningPort(t *testing.T, stderr io.Reader) string {
	t.Helper()
	pattern := regexp.MustCompile(`"listening","address":"[^"]*:(\d+)"`)
	var said bytes.Buffer
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
			return match[1]
		}
		said.Write(lines.Bytes())
	}
	t.Fatalf("it does not listen: %s", said.String())
	return ""
}

// A container runs programs as the image says, as far as this machine allows.
type container struct {
	root string
	env  []string
	how  func(ctx context.Context, args []string) *exec.Cmd
}

// prepare finds the strictest way that works here.
func (c *container) prepare(t *testing.T) {
	t.Helper()
	ways := []struct {
		name string
		how  func(context.Context, []string) *exec.Cmd
	}{
		{"in a read-only root of its own, as its user", c.readOnly},
		{"in a root of its own, as its user", c.chroot},
	}
	for _, way := range ways {
		c.how = way.how
		out, err := c.command(t.Context(), "/dmconnector", "version").CombinedOutput()
		if err == nil {
			t.Logf("run %s", way.name)
			return
		}
		t.Logf("not run %s: %v: %s", way.name, err, out)
	}
	t.Log("run from where it was unpacked")
	c.how = c.plain
	c.env = append(c.env, "DMCONNECTOR_DATA="+filepath.Join(c.root, "data"))
}

func (c *container) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := c.how(ctx, args)
	cmd.Env = c.env
	return cmd
}

// readOnly needs a mount namespace, that is root or something like it. The data
// stay in a folder that is mounted anew, as a volume is.
func (c *container) readOnly(ctx context.Context, args []string) *exec.Cmd {
	const script = `set -e; root=$1; shift
mount --bind "$root" "$root"
mount --bind "$root/data" "$root/data"
mount -o remount,bind,ro "$root"
exec chroot --userspec=65532:65532 "$root" "$@"`
	return exec.CommandContext(ctx, "unshare", append([]string{"--mount", "/bin/sh", "-c", script, "sh", c.root}, args...)...)
}

func (c *container) chroot(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: userID, Gid: userID}}
	cmd.Dir = "/"
	return cmd
}

func (c *container) plain(ctx context.Context, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, filepath.Join(c.root, args[0]), args[1:]...)
}

func unpack(t *testing.T, img v1.Image, root string) {
	t.Helper()
	// Others than its owner must get through to the unpacked image.
	for dir := root; strings.HasPrefix(dir, os.TempDir()+string(filepath.Separator)); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stream := mutate.Extract(img)
	defer stream.Close()
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := unpackFile(archive, header, filepath.Join(root, filepath.FromSlash(header.Name))); err != nil {
			t.Fatal(err)
		}
	}
}

func unpackFile(archive io.Reader, header *tar.Header, path string) error {
	mode := header.FileInfo().Mode().Perm()
	if header.Typeflag == tar.TypeDir {
		if err := os.Mkdir(path, mode); err != nil {
			return err
		}
	} else {
		data, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, mode); err != nil {
			return err
		}
	}
	if os.Getuid() != 0 {
		return nil
	}
	return os.Lchown(path, header.Uid, header.Gid)
}
