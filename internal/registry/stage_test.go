package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/registry"
	"dmconnector/internal/strictjson"
)

const secret = "hunter2-hunter2"

// connectorJSON is a good connector; more goes into the object behind a comma.
func connectorJSON(alias string, more ...string) string {
	return fmt.Sprintf(`{"accessKeyId": "LTAI5tExample", "accessKeySecret": %q, "accountName": "noreply@mail.example.com", "fromAlias": %q,
  "templates": [%s]%s}`, secret, alias, strings.Join([]string{
		`{"usageType": "SignIn", "subject": "s {{code}}", "content": "{{code}}"}`, `{"usageType": "Register", "subject": "r {{code}}", "content": "{{code}}"}`,
		`{"usageType": "ForgotPassword", "subject": "f {{code}}", "content": "{{code}}"}`, `{"usageType": "Generic", "subject": "g {{code}}", "content": "{{code}}"}`,
	}, ", "), strings.Join(append([]string{""}, more...), ", "))
}

func decode(t testing.TB, text string) any {
	t.Helper()
	tree, err := strictjson.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// sender is one of its connector's own.
type sender struct{ cfg *connector.Config }

func (*sender) SingleSendMail(context.Context, *aliyundm.Mail) (*aliyundm.Receipt, error) {
	return &aliyundm.Receipt{}, nil
}

// A stage has a registry with all that it needs.
type stage struct {
	*registry.Registry
	t       testing.TB
	folder  string
	store   *memory
	mu      sync.Mutex
	log     bytes.Buffer
	applied []map[string]delivery.Connector
}

func newStage(t testing.TB, change func(*stage, *registry.Options)) *stage {
	s := &stage{t: t, folder: t.TempDir(), store: newMemory()}
	opts := registry.Options{
		Resolve: func(folder, kind, name string) (string, error) {
			if kind != "file" {
				return "", errors.New("there is no environment")
			}
			data, err := os.ReadFile(filepath.Join(folder, name))
			return string(data), err
		},
		ReservedIDs: []string{"aliyun-direct-mail"},
		Store:       s.store,
		NewSender: func(cfg *connector.Config) (delivery.Sender, error) {
			if cfg.RegionID == "eu-central-1" {
				return nil, errors.New("no client goes there")
			}
			return &sender{cfg}, nil
		},
		Apply: func(connectors map[string]delivery.Connector) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.applied = append(s.applied, connectors)
		},
		Log: slog.New(slog.NewTextHandler(s, nil)),
	}
	if change != nil {
		change(s, &opts)
	}
	s.Registry = registry.New(opts)
	return s
}

// inFolder has the connectors in the stage's folder.
func inFolder(s *stage, opts *registry.Options) { opts.Path = s.folder }

// Write is for the log.
func (s *stage) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

func (s *stage) logged(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.log.String(), text)
}

func (s *stage) load() *stage {
	s.t.Helper()
	if err := s.Load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// polling runs a test on a fake clock, with a registry that polls.
func polling(t *testing.T, change func(*stage, *registry.Options), prepare, test func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, change)
		prepare(s)
		s.load()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		defer running.Wait()
		defer cancel()
		test(s)
	})
}

// pass lets time pass on a fake clock, until everything that is due then is done.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (s *stage) path(name string) string { return filepath.Join(s.folder, name) }

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// must fails the test at the first error of a file operation.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// active is what was applied last.
func (s *stage) active() map[string]delivery.Connector {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.applied) == 0 {
		return nil
	}
	return s.applied[len(s.applied)-1]
}

func (s *stage) applications() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.applied)
}

// aliases are those of the connectors active, such as "a=One b=Two".
func (s *stage) aliases() string {
	var list []string
	active := s.active()
	for _, c := range s.Connectors() {
		if target, ok := active[c.ID]; ok {
			list = append(list, c.ID+"="+target.Composer.Config().FromAlias)
		}
	}
	return strings.Join(list, " ")
}

func (s *stage) wantAliases(want string) {
	s.t.Helper()
	if got := s.aliases(); got != want {
		s.t.Fatalf("active: %q, want %q\n%s", got, want, s.log.String())
	}
}

func (s *stage) wantProblems(want int) {
	s.t.Helper()
	if got := s.FileProblems(); len(got) != want {
		s.t.Fatalf("problems %+v, want %d\n%s", got, want, s.log.String())
	}
}

func refusal(t testing.TB, err error, code string) *registry.Error {
	t.Helper()
	refused, ok := errors.AsType[*registry.Error](err)
	if !ok || string(refused.Code) != code {
		t.Fatalf("error %v (%T), want %s", err, err, code)
	}
	return refused
}

func pointers(problems []connector.Problem) string {
	list := make([]string, len(problems))
	for i, p := range problems {
		list[i] = p.Pointer
	}
	return strings.Join(list, " ")
}

// messageIn is one for a reader of a language.
func messageIn(locale string) connector.Message {
	return connector.Message{To: "user@example.com", Type: connector.SignIn, Payload: map[string]any{"code": "1", "locale": locale}}
}
