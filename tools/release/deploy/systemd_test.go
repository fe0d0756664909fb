package deploy_test

import (
	"context"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var program = flag.String("program", "", "the dmconnector `file` that the units start")

// needs skips a test where something is lacking, unless everything must be tested.
func needs(t *testing.T, have bool, what string) {
	t.Helper()
	if have {
		return
	}
	if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
		t.Fatalf("needs %s", what)
	}
	t.Skipf("SKIPPED: needs %s", what)
}

func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// units copies the units, with the program where it is.
func units(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"dmconnector.service", "dmconnector.socket"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", "systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "/usr/bin/dmconnector", program)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestUnitsAreUnderstood(t *testing.T) {
	needs(t, installed("systemd-analyze"), "systemd-analyze")
	dir := units(t, "/bin/true")
	for _, name := range []string{"dmconnector.service", "dmconnector.socket"} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", filepath.Join(dir, name)).CombinedOutput()
		// Of a misspelt key it only says that it is ignored. Other units of the
		// machine are not ours.
		if err != nil || strings.Contains(string(out), "dmconnector") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestServiceIsHardened(t *testing.T) {
	needs(t, installed("systemd-analyze"), "systemd-analyze")
	unit := filepath.Join(units(t, "/bin/true"), "dmconnector.service")
	// In tenths: 0 is safe, 100 is not.
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The program is not started before the first request, which it answers on the
// socket that it was handed.
func TestSocketActivation(t *testing.T) {
	needs(t, installed("systemd-socket-activate"), "systemd-socket-activate")
	needs(t, *program != "", "-program")
	path, err := filepath.Abs(*program)
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	// What it is told to listen on is nobody's address: it must take the socket.
	activate := exec.CommandContext(ctx, "systemd-socket-activate", "-l", address, path,
		"serve", "--sandbox", "--sandbox-listen", "127.0.0.1:0", "--listen", "192.0.2.1:1")
	activate.Cancel = func() error { return activate.Process.Signal(os.Interrupt) }
	if err := activate.Start(); err != nil {
		t.Fatal(err)
	}
	answer(ctx, t, "http://"+address+"/readyz")
	stop()
	if err := activate.Wait(); err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func answer(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Error(resp.Status)
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}
