package registry_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/internal/registry"
)

func TestLoadFindsConnectors(t *testing.T) {
	tests := map[string]struct {
		path    string // below the folder, "-" for none
		example string
		want    string
	}{
		"a folder":           {"", "", "a=A b.c=B"},
		"a file":             {"a.json", "", "default=A"},
		"the example":        {"-", connectorJSON("Example"), "default=Example"},
		"no example":         {"b.c.json", connectorJSON("Example"), "default=B"},
		"none":               {"-", "", ""},
		"a folder yet empty": {"empty", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(s *stage, opts *registry.Options) {
				if tt.path != "-" {
					opts.Path = s.path(tt.path)
				}
				if tt.example != "" {
					opts.Example = []byte(tt.example)
				}
			})
			must(t, os.Mkdir(s.path("empty"), 0o700))
			s.write("a.json", connectorJSON("A"))
			s.write("b.c.json", connectorJSON("B", `"fromAllias": "x"`))
			s.write(".hidden.json", "nonsense")
			s.write("notes.txt", "nonsense")
			s.load()
			if got := s.aliases(); got != tt.want || s.applications() != 1 {
				t.Errorf("got %q, want %q, applied %d times", got, tt.want, s.applications())
			}
			for _, c := range s.Connectors() {
				if c.Source != registry.FromFile || !c.InForce || len(c.Problems) > 0 {
					t.Errorf("%+v", c)
				}
			}
			s.Reload(t.Context())
			if want := strings.Count(tt.want, "B"); s.logged("doubtful connector") != want || s.applications() != 1 {
				t.Errorf("%d warnings in the log, want %d; applied %d times", s.logged("doubtful connector"), want, s.applications())
			}
		})
	}
}

func TestWarningsOfTemplatesAreLoggedWithTheirLine(t *testing.T) {
	s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path = s.folder })
	s.write("a.json", strings.Replace(connectorJSON("A"), `"content": "c"`, `"content": "{{code}}\n\n{{#if code}}"`, 1))
	s.load()
	if s.logged("doubtful connector") != 1 || s.logged(`pointer=/templates/0/content`) != 1 || s.logged("line=3") != 1 {
		t.Errorf("log: %s", s.log.String())
	}
}

func TestLoadTellsEveryErrorOfEveryFile(t *testing.T) {
	s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path, opts.Volatile = s.folder, true })
	s.write("a.json", connectorJSON("A", `"regionId": "mars"`, `"tagName": 5`))
	s.write("b.json", "{")
	s.write("bad name.json", connectorJSON("C"))
	s.write("aliyun-direct-mail.json", connectorJSON("D"))
	s.write("queued.json", connectorJSON("E", `"delivery": {"SignIn": "queued"}`))
	s.write("far.json", connectorJSON("F", `"regionId": "eu-central-1"`))
	must(t, os.Symlink("nowhere", s.path("gone.json")))
	err := s.Load(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"a.json: /regionId: is not a region", "a.json: /tagName: must be a string",
		"b.json: is not JSON", "bad name.json: the file's name must be", "aliyun-direct-mail.json: the id aliyun-direct-mail is reserved",
		`queued.json: /delivery/SignIn: SignIn is to be delivered "queued", which needs state that survives`,
		"far.json: no client goes there", "gone.json: cannot be read: ",
	} {
		if !strings.Contains(err.Error(), s.folder+"/"+want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), secret) || s.applications() != 0 {
		t.Errorf("applied %d times: %v", s.applications(), err)
	}
}

func TestLoadNeedsPathAndState(t *testing.T) {
	s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path = s.path("none") })
	if err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	s = newStage(t, nil)
	s.keeper.fail(true)
	if err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "read the configuration: "+errDown.Error()) {
		t.Error(err)
	}
}

// eachWay runs a test with the system's events alone, and with the poll alone.
func eachWay(t *testing.T, name string, test func(t *testing.T, follow func(s *stage))) {
	t.Helper()
	t.Run(name+" by events", func(t *testing.T) { test(t, func(s *stage) { s.OnlyEvents(); s.run() }) })
	t.Run(name+" by polling", func(t *testing.T) { test(t, func(s *stage) { s.OnlyPoll(); s.run() }) })
}

// Each change is of files in a folder that has a.json (A) and b.json (B).
func TestFilesAreReadAgain(t *testing.T) {
	replace := func(s *stage, name, text string) {
		s.write(name+".tmp", text)
		must(s.t, os.Rename(s.path(name+".tmp"), s.path(name)))
	}
	steps := map[string]struct {
		change func(s *stage)
		want   string
	}{
		"written":        {func(s *stage) { s.write("a.json", connectorJSON("A2")) }, "a=A2 b=B"},
		"added":          {func(s *stage) { s.write("c.json", connectorJSON("C")) }, "a=A b=B c=C"},
		"removed":        {func(s *stage) { must(s.t, os.Remove(s.path("b.json"))) }, "a=A"},
		"renamed":        {func(s *stage) { must(s.t, os.Rename(s.path("b.json"), s.path("c.json"))) }, "a=A c=B"},
		"rename on save": {func(s *stage) { replace(s, "a.json", connectorJSON("A2")) }, "a=A2 b=B"},
		"moved aside, then written": {func(s *stage) {
			must(s.t, os.Rename(s.path("a.json"), s.path("a.json~")))
			s.write("a.json", connectorJSON("A2"))
		}, "a=A2 b=B"},
		"the folder replaced": {func(s *stage) {
			next := s.folder + "-next"
			must(s.t, os.Mkdir(next, 0o700), os.WriteFile(filepath.Join(next, "a.json"), []byte(connectorJSON("A2")), 0o600),
				os.Rename(s.folder, s.folder+"-old"), os.Rename(next, s.folder))
		}, "a=A2"},
		"the folder away for a time": {func(s *stage) {
			must(s.t, os.Rename(s.folder, s.folder+"-away"))
			s.wait("a problem", func() bool { return len(s.FileProblems()) == 1 })
			must(s.t, os.Mkdir(s.folder, 0o700))
			s.write("a.json", connectorJSON("A2"))
		}, "a=A2"},
		"a link to another folder": {func(s *stage) {
			must(s.t, os.MkdirAll(s.path("else/where"), 0o700))
			s.write("else/where/blob", connectorJSON("L"))
			must(s.t, os.Symlink("else/where/blob", s.path("l.json")))
			s.wantAliases("a=A b=B l=L")
			s.write("else/where/blob", connectorJSON("L2"))
		}, "a=A b=B l=L2"},
	}
	for name, step := range steps {
		eachWay(t, name, func(t *testing.T, follow func(s *stage)) {
			s := newStage(t, func(s *stage, opts *registry.Options) {
				s.folder = filepath.Join(s.folder, "connectors")
				must(t, os.Mkdir(s.folder, 0o700))
				opts.Path = s.folder
			})
			s.write("a.json", connectorJSON("A"))
			s.write("b.json", connectorJSON("B"))
			follow(s.load())
			step.change(s)
			s.wantAliases(step.want)
			if problems := s.FileProblems(); len(problems) > 0 {
				t.Errorf("problems %+v", problems)
			}
		})
	}
}

// A ConfigMap is a folder of links to ..data/file, where ..data is a link to the
// folder that is current.
func TestConfigMapsAreReadAgain(t *testing.T) {
	for name, tt := range map[string]struct{ path, want, then string }{
		"as a folder":   {"", "a=A1 b=B1", "a=A2 c=C2"},
		"as one file":   {"a.json", "default=A1", "default=A2"},
		"as a link":     {"link", "a=A1 b=B1", "a=A2 c=C2"},
		"as a far file": {"far", "default=A1", "default=A2"},
	} {
		eachWay(t, name, func(t *testing.T, follow func(s *stage)) {
			s := newStage(t, func(s *stage, opts *registry.Options) {
				opts.Path = s.path("mount/" + tt.path)
				if tt.path == "link" || tt.path == "far" {
					opts.Path = s.path(tt.path)
				}
			})
			must(t, os.MkdirAll(s.path("mount/..2026_1"), 0o700), os.Mkdir(s.path("mount/..2026_2"), 0o700),
				os.Symlink("mount", s.path("link")), os.Symlink("mount/a.json", s.path("far")), os.Symlink("..2026_1", s.path("mount/..data")))
			for name, text := range map[string]string{"1/a": "A1", "1/b": "B1", "2/a": "A2", "2/c": "C2"} {
				s.write("mount/..2026_"+name+".json", connectorJSON(text))
			}
			must(t, os.Symlink("..data/a.json", s.path("mount/a.json")), os.Symlink("..data/b.json", s.path("mount/b.json")))
			follow(s.load())
			s.wantAliases(tt.want)
			must(t, os.Symlink("..2026_2", s.path("mount/..data_tmp")), os.Rename(s.path("mount/..data_tmp"), s.path("mount/..data")))
			if name == "as one file" { // the swap alone must do
				s.wantAliases(tt.then)
				return
			}
			must(t, os.Symlink("..data/c.json", s.path("mount/c.json")), os.Remove(s.path("mount/b.json")),
				os.RemoveAll(s.path("mount/..2026_1")))
			s.wantAliases(tt.then)
		})
	}
}

func TestPathMayBeALinkThatIsLaidAnew(t *testing.T) {
	eachWay(t, "link", func(t *testing.T, follow func(s *stage)) {
		s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path = s.path("here/link") })
		must(t, os.Mkdir(s.path("here"), 0o700), os.MkdirAll(s.path("there/v1"), 0o700), os.Mkdir(s.path("there/v2"), 0o700),
			os.Symlink("../there/v1", s.path("here/link")))
		s.write("there/v1/a.json", connectorJSON("A1"))
		s.write("there/v2/a.json", connectorJSON("A2"))
		follow(s.load())
		must(t, os.Symlink("../there/v2", s.path("here/next")), os.Rename(s.path("here/next"), s.path("here/link")))
		s.wantAliases("a=A2")
		s.write("there/v2/a.json", connectorJSON("A3"))
		s.wantAliases("a=A3")
	})
}

// A file that is written while the one before is being read is not overlooked, though
// its folder has just become the one that counts.
func TestFilesThatChangeWhileTheyAreReadAreReadAgain(t *testing.T) {
	for name, inside := range map[string]string{"the path is a link": "", "the file is a link": "/sub"} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			s := newStage(t, func(s *stage, opts *registry.Options) {
				opts.Path = s.path("here/link")
				opts.Log = slog.New(during{opts.Log.Handler(), func(line string) {
					if line == "connector file was read" && armed.CompareAndSwap(true, false) {
						s.write("there/v2"+inside+"/a.json", connectorJSON("A3"))
					}
				}})
			})
			must(t, os.MkdirAll(s.path("here"), 0o700), os.MkdirAll(s.path("there/v1/sub"), 0o700), os.MkdirAll(s.path("there/v2/sub"), 0o700),
				os.Symlink("../there/v1", s.path("here/link")))
			if inside != "" {
				must(t, os.Symlink("sub/a.json", s.path("there/v1/a.json")), os.Symlink("sub/a.json", s.path("there/v2/a.json")))
			}
			s.write("there/v1"+inside+"/a.json", connectorJSON("A1"))
			s.write("there/v2"+inside+"/a.json", connectorJSON("A2"))
			s.load().OnlyEvents()
			s.run()
			s.write("there/v1"+inside+"/a.json", connectorJSON("A"))
			s.wantAliases("a=A") // what was watched from the start has been read
			armed.Store(true)
			must(t, os.Symlink("../there/v2", s.path("here/next")), os.Rename(s.path("here/next"), s.path("here/link")))
			s.wantAliases("a=A3")
		})
	}
}

// during is a log that does something at each line.
type during struct {
	slog.Handler
	act func(line string)
}

func (d during) Handle(ctx context.Context, r slog.Record) error {
	d.act(r.Message)
	return d.Handler.Handle(ctx, r)
}

func TestSecretsInFilesOfTheirOwnAreReadAgain(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("key", "one\n")
	s.write("a.json", strings.Replace(connectorJSON("A"), `"`+secret+`"`, `"${file:key}"`, 1))
	s.load().run()
	s.write("key", "two\n")
	s.wait("the new secret", func() bool { return string(s.inForce()["a"].Composer.Config().AccessKeySecret) == "two" })
	if c, _ := s.Connector("a"); strings.Contains(string(c.Config), "two") || strings.Contains(string(c.Config), "${") {
		t.Errorf("shown as %s", c.Config)
	}
	must(t, os.Remove(s.path("key")))
	s.wait("a problem", func() bool { return len(s.FileProblems()) == 1 })
	if s.aliases() != "a=A" || s.logged("two") > 0 {
		t.Error("the connector is not in force, or its secret in the log")
	}
}

func TestReferencesAreShownAsWritten(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("id", "LTAI5tOfTheFile")
	s.write("a.json", strings.Replace(connectorJSON("A"), `LTAI5tExample`, `${file:id}`, 1))
	s.load()
	if c, _ := s.Connector("a"); !strings.Contains(string(c.Config), `"accessKeyId":"${file:id}"`) || !strings.Contains(string(c.Config), `"accessKeySecret":"***"`) {
		t.Errorf("%s", c.Config)
	}
	if got := s.inForce()["a"].Composer.Config().AccessKeyID; got != "LTAI5tOfTheFile" {
		t.Error(got)
	}
}

func TestBrokenFileKeepsTheLastGood(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load().run()
	before := s.inForce()["a"]

	whole := connectorJSON("A2")
	s.write("half", whole[:len(whole)/2])
	must(t, os.Rename(s.path("half"), s.path("a.json")))
	s.wait("a problem", func() bool { return len(s.FileProblems()) == 1 })
	c, _ := s.Connector("a")
	if !c.InForce || len(c.Problems) != 1 || !strings.Contains(string(c.Config), `"fromAlias":"A"`) || s.inForce()["a"].Composer != before.Composer {
		t.Errorf("%+v", c)
	}
	if want := []registry.FileProblem{{Path: s.path("a.json"), ID: "a", Problems: c.Problems}}; !cmp.Equal(want, s.FileProblems()) {
		t.Errorf("%+v, want %+v", s.FileProblems(), want)
	}
	s.write("b.json", connectorJSON("B2"))
	s.wantAliases("a=A b=B2")
	for range 5 {
		s.Reload(t.Context())
	}
	if n := s.logged("connector file cannot be used"); n != 1 || s.logged(secret) > 0 {
		t.Errorf("%d times in the log", n)
	}

	s.write("a.json", whole)
	s.wantAliases("a=A2 b=B2")
	if c, _ := s.Connector("a"); len(c.Problems)+len(s.FileProblems()) > 0 {
		t.Errorf("%+v", c)
	}
}

func TestNewFileThatIsBroken(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.load()
	s.write("new.json", connectorJSON("N", `"regionId": "mars"`))
	s.write("aliyun-direct-mail.json", connectorJSON("R"))
	s.Reload(t.Context())
	c, ok := s.Connector("new")
	if !ok || c.InForce || pointers(c.Problems) != "/regionId" || !strings.Contains(string(c.Config), `"accessKeySecret":"***"`) {
		t.Errorf("%+v %s", c, c.Config)
	}
	if _, ok := s.Connector("aliyun-direct-mail"); ok || len(s.FileProblems()) != 2 || s.aliases() != "a=A" {
		t.Errorf("%+v, in force %s", s.FileProblems(), s.aliases())
	}
}

func TestVanishedFilesStayInForce(t *testing.T) {
	for name, tt := range map[string]struct {
		path   string
		vanish func(s *stage) error
		want   string
		id     string
	}{
		"folder":       {"", func(s *stage) error { return os.Rename(s.folder, s.folder+"-away") }, "a=A b=B", ""},
		"every file":   {"", func(s *stage) error { return errorsOf(os.Remove(s.path("a.json")), os.Remove(s.path("b.json"))) }, "a=A b=B", ""},
		"a single one": {"a.json", func(s *stage) error { return os.Remove(s.path("a.json")) }, "default=A", "default"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path = filepath.Join(s.folder, tt.path) })
			s.write("a.json", connectorJSON("A"))
			s.write("b.json", connectorJSON("B"))
			s.load().run()
			must(t, tt.vanish(s))
			s.wait("a problem", func() bool { return len(s.FileProblems()) == 1 })
			for range 3 {
				s.Reload(t.Context())
			}
			problem := s.FileProblems()[0]
			if s.aliases() != tt.want || problem.Path != filepath.Join(s.folder, tt.path) || problem.ID != tt.id || s.logged("cannot be read") != 1 {
				t.Errorf("in force %q, problem %+v, log\n%s", s.aliases(), problem, s.log.String())
			}
			if c, ok := s.Connector(tt.id); ok && (len(c.Problems) != 1 || !c.InForce) {
				t.Errorf("%+v", c)
			}
		})
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// An editor moves a file aside before it writes the new one.
func TestFileThatIsAwayForAMomentStays(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load()
	must(t, os.Rename(s.path("b.json"), s.path("b.json~")))
	for range 2 {
		if !s.Look(t.Context()) || s.aliases() != "a=A b=B" {
			t.Errorf("in force: %q", s.aliases())
		}
	}
	must(t, os.Rename(s.path("b.json~"), s.path("b.json")))
	if s.Look(t.Context()) || s.applications() != 1 {
		t.Errorf("applied %d times", s.applications())
	}
	since := time.Now()
	s.wait("a time in which it would be gone", func() bool { return time.Since(since) > 250*time.Millisecond })
	must(t, os.Remove(s.path("b.json")))
	if !s.Look(t.Context()) || s.aliases() != "a=A b=B" {
		t.Errorf("in force: %q", s.aliases())
	}
	s.wait("its end", func() bool { s.Look(t.Context()); return s.aliases() == "a=A" })
	must(t, os.Rename(s.path("a.json"), s.path("c.json")))
	if s.Reload(t.Context()); s.aliases() != "c=A" {
		t.Errorf("in force: %q after a reload", s.aliases())
	}
}

func TestUnchangedConnectorsStayTheSame(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load()
	before := s.inForce()
	s.write("a.json", connectorJSON("A2"))
	s.write("b.json", connectorJSON("B", `"$schema": "x"`)+"\n\n")
	s.Reload(t.Context())
	now := s.inForce()
	if now["b"] != before["b"] || now["a"].Composer == before["a"].Composer || now["a"].Sender == before["a"].Sender || s.applications() != 2 {
		t.Errorf("before %v, now %v", before, now)
	}
}

func TestManyRewritesUnderReads(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load().run()
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c, ok := s.Connector("a")
				if !ok || !c.InForce || len(s.Connectors()) != 2 {
					t.Errorf("%+v %v", c, ok)
					return
				}
				s.FileProblems()
				s.Check("a", nil)
			}
		})
	}
	for i := range 200 {
		s.write("a.json", connectorJSON("A"+string(rune('a'+i%26))))
		if i%20 == 0 {
			s.Reload(t.Context())
		}
	}
	s.write("a.json", connectorJSON("last"))
	s.wantAliases("a=last b=B")
	close(done)
	readers.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, connectors := range s.applied {
		if len(connectors) != 2 {
			t.Errorf("applied %v", connectors)
		}
	}
}
