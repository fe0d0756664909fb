// Package packages_test looks into what goreleaser has made.
package packages_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var dist = flag.String("dist", "", "goreleaser's `folder`")

func files(t *testing.T, pattern string, count int) []string {
	t.Helper()
	if *dist == "" {
		t.Skip("SKIPPED: needs -dist, as in make release-check")
	}
	found, err := filepath.Glob(filepath.Join(*dist, pattern))
	if err != nil || len(found) != count {
		t.Fatalf("%s: %v, %v, want %d", pattern, found, err, count)
	}
	return found
}

// inEvery is what every archive has, and every package under other folders.
var inEvery = []string{
	"dmconnector.1", "dmconnector-serve.1", "dmconnector.bash", "dmconnector.fish",
	"dmconnector.service", "dmconnector.socket", "config.schema.json", "README.md", "LICENSE", "NOTICE",
}

func TestArchives(t *testing.T) {
	for _, name := range files(t, "*.tar.gz", 3) {
		check(t, name, tarNames(t, name), append(inEvery, "dmconnector"))
	}
	for _, name := range files(t, "*.zip", 1) {
		archive, err := zip.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, file := range archive.File {
			names = append(names, file.Name)
		}
		archive.Close()
		check(t, name, names, append(inEvery, "dmconnector.exe"))
	}
}

func check(t *testing.T, archive string, names, want []string) {
	t.Helper()
	have := map[string]bool{}
	for _, name := range names {
		have[path.Base(name)] = true
	}
	for _, name := range want {
		if !have[name] {
			t.Errorf("%s has no %s", filepath.Base(archive), name)
		}
	}
}

func tarNames(t *testing.T, name string) []string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
}

func TestDebianPackages(t *testing.T) {
	found := files(t, "*.deb", 2)
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		if os.Getenv("DMCONNECTOR_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: needs dpkg-deb")
	}
	for _, name := range found {
		list, err := exec.CommandContext(t.Context(), "dpkg-deb", "--contents", name).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, list)
		}
		for _, want := range []string{
			"./usr/bin/dmconnector\n", "./usr/lib/systemd/system/dmconnector.service\n", "./usr/lib/systemd/system/dmconnector.socket\n",
			"./usr/share/man/man1/dmconnector-serve.1\n", "./usr/share/bash-completion/completions/dmconnector\n", "./etc/dmconnector/connectors/\n",
			"./usr/share/doc/dmconnector/LICENSE\n", "./usr/share/doc/dmconnector/NOTICE\n",
		} {
			if !strings.Contains(string(list), want) {
				t.Errorf("%s has no %s", filepath.Base(name), want)
			}
		}
	}
	files(t, "*.rpm", 2)
}

// Each program has its list of modules, with what sends the mail among them.
func TestBillsOfMaterials(t *testing.T) {
	for _, name := range files(t, "*.cdx.json", 4) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var bill struct {
			BOMFormat  string
			Components []struct{ Name, Version string }
		}
		if err := json.Unmarshal(data, &bill); err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, component := range bill.Components {
			have[component.Name] = component.Version != ""
		}
		for _, module := range []string{"github.com/aliyun/alibaba-cloud-sdk-go", "modernc.org/sqlite", "github.com/jackc/pgx/v5"} {
			if bill.BOMFormat != "CycloneDX" || !have[module] {
				t.Errorf("%s does not list %s", filepath.Base(name), module)
			}
		}
	}
}

// A release says which it is: its version is that of the tag, or of the commit.
func TestVersion(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the programs of this system are not tried")
	}
	// A folder that git worktree has made has a file in its place.
	if git, err := os.Stat(filepath.Join(*dist, "..", ".git")); err != nil || !git.IsDir() {
		t.Skip("SKIPPED: Go records versions in a clone alone")
	}
	program := files(t, filepath.Join("dmconnector_linux_"+runtime.GOARCH+"*", "dmconnector"), 1)[0]
	said, err := exec.CommandContext(t.Context(), program, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(said), "dmconnector v") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestChecksums(t *testing.T) {
	file, err := os.Open(files(t, "checksums.txt", 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		data, err := os.ReadFile(filepath.Join(*dist, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s has another checksum", name)
		}
	}
	// Archives, packages and lists of modules.
	if count != 4+4+4 {
		t.Errorf("%d checksums", count)
	}
}
