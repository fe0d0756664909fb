package store

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dmconnector/internal/seal"
)

func TestAddresses(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Chdir(home)
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		path string // of SQLite
		want string // another kind, or else a piece of the error
	}{
		"sqlite:rel.db":             {path: "rel.db"},
		"sqlite:/abs.db":            {path: "/abs.db"},
		"sqlite://rel.db":           {path: "rel.db"},
		"sqlite:///abs.db":          {path: "/abs.db"},
		"sqlite:////abs.db":         {path: "/abs.db"},
		"sqlite:~/x.db":             {path: home + "/x.db"},
		" sqlite: ./x.db\n":         {path: "x.db"},
		"sqlite:what?#%20.db":       {path: "what?#%20.db"},
		"sqlite:~x.db":              {path: "~x.db"},
		"SQLite:rel.db":             {path: "rel.db"},
		"Memory":                    {want: "memory"},
		"Postgres://u@h/d":          {want: "postgres"},
		"sqlite:$HOME/x.db":         {want: "are not replaced"},
		"sqlite:~user/x.db":         {want: "only ~/ is understood"},
		"sqlite:~":                  {want: home + " is a folder"},
		"sqlite:folder":             {want: "such as sqlite:folder/state.db"},
		"sqlite:new/":               {want: "such as sqlite:new/state.db"},
		"sqlite:":                   {want: "needs the path"},
		"sqlite://":                 {want: "needs the path"},
		"sqlite::memory:":           {want: "write memory"},
		"sqlite:file:x.db":          {want: "without file: in front"},
		"sqlite:postgres://u:p@h/d": {want: "remove sqlite: in front of a URL"},
		"sqlite:x.db?mode=rwc":      {want: "without options"},
		"file:x.db":                 {want: "must be sqlite:<path>"},
		"./x.db":                    {want: "write sqlite: before"},
		"":                          {want: "must be sqlite:<path>"},
		"sqlite":                    {want: "needs the path"},
		"postgres":                  {want: "must be sqlite:<path>"},
		"mysql://user@host/db":      {want: "must be sqlite:<path>"},
		"host=db password='hunter'": {want: "postgres://user:password@host:port/database"},
		"memory":                    {want: "memory"},
		"memory:":                   {want: "memory"},
		"postgres://host":           {want: "postgres"},
		"postgresql://u@h:1/d?a=b":  {want: "postgres"},
		"postgres://u@[::1]:5432/d": {want: "postgres"},
		"postgres://u@h:1,g:2/d":    {want: "postgres"},
		"postgres://u@%2Frun/d":     {want: "postgres"},
		"postgres://u:%40@h:x/d":    {want: "numbers for ports"},
	}
	for text, tt := range tests {
		got, err := ParseAddress(text)
		switch {
		case tt.path != "":
			if err != nil || got.Kind != SQLite || got.Path != tt.path {
				t.Errorf("%q: %+v, %v; want %s", text, got, err, tt.path)
			}
		case err == nil:
			if string(got.Kind) != tt.want {
				t.Errorf("%q: %+v, want %s", text, got, tt.want)
			}
		case !strings.Contains(err.Error(), tt.want):
			t.Errorf("%q: %v, want %q", text, err, tt.want)
		}
	}
}

// pieces are all of a secret that an error must not show, nor anybody look up.
func shows(text, secret string) bool {
	const least = 4
	for i := 0; i+least <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+least]) {
			return true
		}
	}
	return false
}

var likePort = regexp.MustCompile(`^[0-9]+([,/?]|$)`)

// addressesWith are addresses with a password in the places where people write it.
func addressesWith(password string) []string {
	addresses := []string{
		"postgres://u:" + password + "@127.0.0.1:1/d",
		"postgres://u:" + password + "@127.0.0.1:1,127.0.0.1:2/d?sslmode=disable",
		"postgresql://u:" + password + "@/d?host=127.0.0.1&port=1",
		"postgres://127.0.0.1:1/d?user=u&password=" + password,
		"postgres://u@127.0.0.1:1/d?password=" + password + "&sslmode=disable",
		"host=127.0.0.1 port=1 user=u password='" + password + "' dbname=d",
		"host=127.0.0.1 port=1 user=u password=" + password,
		"mysql://u:" + password + "@127.0.0.1:1/d",
		"postgres:u:" + password + "@127.0.0.1:1/d",
		password,
	}
	// Without a host, some passwords look like one, or like a port.
	if !likePort.MatchString(password) && !strings.Contains(password, "@") {
		addresses = append(addresses, "postgres://u:"+password, "postgres://u:"+password+"/d")
	}
	return addresses
}

func FuzzPasswordIsNotShown(f *testing.F) {
	for _, password := range []string{
		"zq@7xvz", "zq#7xvz", "zq/7xvz", "zq?7xvz", "%zz7xvz", "zq 7xvz", "zq:7xvz", "z[q7xvz", "zq,7xvz@", "zq'7xvz", `zq\7xvz`,
		"zq&7xvz=1", "zq=7xvz", "zq;7xvz", "%407xvz", "12/7xvz", "1@7xvz", "wä7xvz", "zq\n7xvz", "zq\x007xvz", "//7xvz", "x@y@z/7xvz",
	} {
		f.Add(password)
	}
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if strings.ContainsAny(password, "abcdefghijklmnoprstu") || strings.Contains("127.0.0.1:1", password) {
			t.Skip("it may be a word of the errors")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for _, address := range addressesWith(password) {
			s, err := Open(ctx, Options{State: address, Ring: ring})
			if err == nil {
				_ = s.Close()
				continue
			}
			if shows(err.Error(), password) {
				t.Errorf("%q: %v", address, err)
			}
		}
	})
}

// What completes an address is not shown either.
func TestPostgresEnvironmentIsNotShown(t *testing.T) {
	const password = "hunter2hunter2"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("[s]\npassword="+password+"\nport="+password+"\n"+password), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, value := range map[string]string{"PGPASSWORD": password, "PGPORT": password, "PGPASSFILE": file, "PGSERVICEFILE": file, "PGSSLMODE": password} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			_, err := Open(t.Context(), Options{State: "postgres://u@127.0.0.1:1/d?service=s", Ring: testRing(t)})
			if err == nil || shows(err.Error(), password) {
				t.Errorf("%v", err)
			}
		})
	}
}
