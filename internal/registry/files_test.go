package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dmconnector/connector"
	"dmconnector/internal/delivery"
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
				if c.Source != registry.FromFile || !c.Active || len(c.Problems) > 0 {
					t.Errorf("%+v", c)
				}
			}
			s.Reload(t.Context())
			if want := strings.Count(tt.want, "B"); s.logged("connector file has a warning") != want || s.applications() != 1 {
				t.Errorf("%d warnings in the log, want %d; applied %d times", s.logged("connector file has a warning"), want, s.applications())
			}
		})
	}
}

// Editors save files with a byte order mark and Windows line ends, or in UTF-16.
func TestFilesAsPeopleSaveThem(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", "\ufeff"+strings.ReplaceAll(connectorJSON("A"), ",", ",\r\n"))
	s.load()
	if got := s.aliases(); got != "a=A" {
		t.Errorf("got %q", got)
	}
	s.write("a.json", "\xff\xfe{\x00}\x00")
	_, err := registry.ReadFile(s.path("a.json"), connector.ParseOptions{}, nil)
	if err == nil || !strings.Contains(err.Error(), "a.json: save it as UTF-8: it is UTF-16") {
		t.Error(err)
	}
	if s.Reload(t.Context()); s.aliases() != "a=A" || s.logged("save it as UTF-8: it is UTF-16") != 1 {
		t.Errorf("%s; log: %s", s.aliases(), s.log.String())
	}
}

func TestWarningsOfTemplatesAreLoggedWithTheirLine(t *testing.T) {
	s := newStage(t, func(s *stage, opts *registry.Options) { opts.Path = s.folder })
	s.write("a.json", strings.Replace(connectorJSON("A"), `"content": "{{code}}"`, `"content": "{{code}}\n\n{{#if code}}"`, 1))
	s.load()
	if s.logged("connector file has a warning") != 1 || s.logged(`pointer=/templates/0/content`) != 1 || s.logged("line=3") != 1 {
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
		"a.json: /regionId: Use one of", "a.json: /tagName: Use a string",
		"b.json: Fix the JSON", "bad name.json: rename the file: use at most", "aliyun-direct-mail.json: rename the file: the id aliyun-direct-mail is reserved",
		`queued.json: /delivery/SignIn: cannot be "queued" with --state memory`,
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
	s.store.fail(true)
	if err := s.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "read the configuration: "+errDown.Error()) {
		t.Error(err)
	}
}

// Each change is of files in a folder that has a.json (A) and b.json (B).
func TestFilesAreReadAgain(t *testing.T) {
	replace := func(s *stage, name, text string) {
		s.write(name+".tmp", text)
		must(s.t, os.Rename(s.path(name+".tmp"), s.path(name)))
	}
	const once, twice = 2 * time.Second, 4 * time.Second
	steps := map[string]struct {
		change func(s *stage)
		within time.Duration // a file is gone when two polls have not found it
		want   string
	}{
		"written":        {func(s *stage) { s.write("a.json", connectorJSON("A2")) }, once, "a=A2 b=B"},
		"added":          {func(s *stage) { s.write("c.json", connectorJSON("C")) }, once, "a=A b=B c=C"},
		"removed":        {func(s *stage) { must(s.t, os.Remove(s.path("b.json"))) }, twice, "a=A"},
		"renamed":        {func(s *stage) { must(s.t, os.Rename(s.path("b.json"), s.path("c.json"))) }, twice, "a=A c=B"},
		"rename on save": {func(s *stage) { replace(s, "a.json", connectorJSON("A2")) }, once, "a=A2 b=B"},
		"moved aside, then written": {func(s *stage) {
			must(s.t, os.Rename(s.path("a.json"), s.path("a.json~")))
			pass(2 * time.Second)
			s.write("a.json", connectorJSON("A2"))
		}, once, "a=A2 b=B"},
		"the same size and time": {func(s *stage) {
			before, err := os.Stat(s.path("a.json"))
			must(s.t, err)
			s.write("a.json", connectorJSON("Z"))
			must(s.t, os.Chtimes(s.path("a.json"), before.ModTime(), before.ModTime()))
		}, once, "a=Z b=B"},
		"the folder replaced": {func(s *stage) {
			next := s.folder + "-next"
			must(s.t, os.Mkdir(next, 0o700), os.WriteFile(filepath.Join(next, "a.json"), []byte(connectorJSON("A2")), 0o600),
				os.Rename(s.folder, s.folder+"-old"), os.Rename(next, s.folder))
		}, twice, "a=A2"},
		"the folder away for a time": {func(s *stage) {
			must(s.t, os.Rename(s.folder, s.folder+"-away"))
			pass(2 * time.Second)
			s.wantProblems(1)
			must(s.t, os.Mkdir(s.folder, 0o700))
			s.write("a.json", connectorJSON("A2"))
		}, twice, "a=A2"},
		"a link to another folder": {func(s *stage) {
			must(s.t, os.MkdirAll(s.path("else/where"), 0o700))
			s.write("else/where/blob", connectorJSON("L"))
			must(s.t, os.Symlink("else/where/blob", s.path("l.json")))
			pass(2 * time.Second)
			s.wantAliases("a=A b=B l=L")
			s.write("else/where/blob", connectorJSON("L2"))
		}, once, "a=A b=B l=L2"},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			polling(t, func(s *stage, opts *registry.Options) {
				s.folder = filepath.Join(s.folder, "connectors")
				must(s.t, os.Mkdir(s.folder, 0o700))
				opts.Path = s.folder
			}, func(s *stage) {
				s.write("a.json", connectorJSON("A"))
				s.write("b.json", connectorJSON("B"))
			}, func(s *stage) {
				pass(time.Second) // between two polls
				step.change(s)
				pass(step.within)
				s.wantAliases(step.want)
				s.wantProblems(0)
				if pass(time.Minute); s.aliases() != step.want {
					t.Errorf("active: %q, later", s.aliases())
				}
			})
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
		t.Run(name, func(t *testing.T) {
			polling(t, func(s *stage, opts *registry.Options) {
				opts.Path = s.path("mount/" + tt.path)
				if tt.path == "link" || tt.path == "far" {
					opts.Path = s.path(tt.path)
				}
			}, func(s *stage) {
				must(t, os.MkdirAll(s.path("mount/..2026_1"), 0o700), os.Mkdir(s.path("mount/..2026_2"), 0o700),
					os.Symlink("mount", s.path("link")), os.Symlink("mount/a.json", s.path("far")), os.Symlink("..2026_1", s.path("mount/..data")))
				for name, text := range map[string]string{"1/a": "A1", "1/b": "B1", "2/a": "A2", "2/c": "C2"} {
					s.write("mount/..2026_"+name+".json", connectorJSON(text))
				}
				must(t, os.Symlink("..data/a.json", s.path("mount/a.json")), os.Symlink("..data/b.json", s.path("mount/b.json")))
			}, func(s *stage) {
				s.wantAliases(tt.want)
				must(t, os.Symlink("..2026_2", s.path("mount/..data_tmp")), os.Rename(s.path("mount/..data_tmp"), s.path("mount/..data")))
				pass(2 * time.Second) // the swap alone, as yet with a link that leads nowhere
				if name == "as one file" || name == "as a far file" {
					s.wantAliases(tt.then)
				} else if s.aliases() != "a=A2 b=B1" {
					t.Errorf("after the swap %q", s.aliases())
				}
				must(t, os.Symlink("..data/c.json", s.path("mount/c.json")), os.Remove(s.path("mount/b.json")),
					os.RemoveAll(s.path("mount/..2026_1")))
				pass(4 * time.Second)
				s.wantAliases(tt.then)
				s.wantProblems(0)
			})
		})
	}
}

func TestPathMayBeALinkThatIsLaidAnew(t *testing.T) {
	polling(t, func(s *stage, opts *registry.Options) { opts.Path = s.path("here/link") }, func(s *stage) {
		must(t, os.Mkdir(s.path("here"), 0o700), os.MkdirAll(s.path("there/v1"), 0o700), os.Mkdir(s.path("there/v2"), 0o700),
			os.Symlink("../there/v1", s.path("here/link")))
		s.write("there/v1/a.json", connectorJSON("A1"))
		s.write("there/v2/a.json", connectorJSON("A2"))
	}, func(s *stage) {
		must(t, os.Symlink("../there/v2", s.path("here/next")), os.Rename(s.path("here/next"), s.path("here/link")))
		pass(2 * time.Second)
		s.wantAliases("a=A2")
		s.write("there/v2/a.json", connectorJSON("A3"))
		pass(2 * time.Second)
		s.wantAliases("a=A3")
	})
}

// A value that changes while its file is loaded is found by the next poll.
func TestFilesThatChangeWhileTheyAreReadAreReadAgain(t *testing.T) {
	for name, change := range map[string]func(s *stage){
		"the file":     func(s *stage) { s.write("a.json", connectorJSON("A3")) },
		"another file": func(s *stage) { s.write("b.json", connectorJSON("B3")) },
	} {
		t.Run(name, func(t *testing.T) {
			armed := false
			s := newStage(t, func(s *stage, opts *registry.Options) {
				opts.Path = s.folder
				newSender := opts.NewSender
				opts.NewSender = func(cfg *connector.Config) (delivery.Sender, error) {
					if armed {
						armed = false
						change(s)
					}
					return newSender(cfg)
				}
			})
			s.write("a.json", connectorJSON("A"))
			s.write("b.json", connectorJSON("B"))
			s.load()
			armed = true
			s.write("a.json", connectorJSON("A2"))
			s.Reload(t.Context())
			s.Reload(t.Context())
			s.wantAliases(map[string]string{"the file": "a=A3 b=B", "another file": "a=A2 b=B3"}[name])
		})
	}
}

func TestSecretsInFilesOfTheirOwnAreReadAgain(t *testing.T) {
	secretOf := func(s *stage) string { return string(s.active()["a"].Composer.Config().AccessKeySecret) }
	polling(t, inFolder, func(s *stage) {
		s.write("key", "one\n")
		s.write("a.json", strings.Replace(connectorJSON("A"), `"`+secret+`"`, `"${file:key}"`, 1))
	}, func(s *stage) {
		s.write("key", "two\n")
		if pass(2 * time.Second); secretOf(s) != "two" {
			t.Error("the secret is not the new one")
		}
		if c, _ := s.Connector("a"); strings.Contains(string(c.Config), "two") || strings.Contains(string(c.Config), "${") {
			t.Errorf("shown as %s", c.Config)
		}
		must(t, os.Remove(s.path("key")))
		pass(2 * time.Second)
		s.wantProblems(1)
		s.wantAliases("a=A")
		gone := s.FileProblems()[0].Problems
		s.write("key", "")
		if pass(2 * time.Second); cmp.Equal(gone, s.FileProblems()[0].Problems) {
			t.Errorf("an empty file is still told as %+v", gone)
		}
		s.write("key", "three\n")
		if pass(2 * time.Second); secretOf(s) != "three" || s.logged("two")+s.logged("three") > 0 {
			t.Errorf("the secret is not the new one, or in the log\n%s", s.log.String())
		}
		s.wantProblems(0)
	})
}

func TestReferencesAreShownAsWritten(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("id", "LTAI5tOfTheFile")
	s.write("a.json", strings.Replace(connectorJSON("A"), `LTAI5tExample`, `${file:id}`, 1))
	s.load()
	if c, _ := s.Connector("a"); !strings.Contains(string(c.Config), `"accessKeyId":"${file:id}"`) || !strings.Contains(string(c.Config), `"accessKeySecret":"***"`) {
		t.Errorf("%s", c.Config)
	}
	if got := s.active()["a"].Composer.Config().AccessKeyID; got != "LTAI5tOfTheFile" {
		t.Error(got)
	}
}

func TestBrokenFileKeepsTheLastGood(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load()
	before := s.active()["a"]

	whole := connectorJSON("A2")
	s.write("half", whole[:len(whole)/2])
	must(t, os.Rename(s.path("half"), s.path("a.json")))
	s.Reload(t.Context())
	s.wantProblems(1)
	c, _ := s.Connector("a")
	if !c.Active || len(c.Problems) != 1 || !strings.Contains(string(c.Config), `"fromAlias":"A"`) || s.active()["a"].Composer != before.Composer {
		t.Errorf("%+v", c)
	}
	if want := []registry.FileProblem{{Path: s.path("a.json"), ID: "a", Problems: c.Problems}}; !cmp.Equal(want, s.FileProblems()) {
		t.Errorf("%+v, want %+v", s.FileProblems(), want)
	}
	s.write("b.json", connectorJSON("B2"))
	s.Reload(t.Context())
	s.wantAliases("a=A b=B2")
	for range 5 {
		s.Reload(t.Context())
	}
	if n := s.logged("cannot use connector file, its last good version stays active"); n != 1 || s.logged(secret) > 0 {
		t.Errorf("%d times in the log", n)
	}

	s.write("a.json", whole)
	s.Reload(t.Context())
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
	if !ok || c.Active || pointers(c.Problems) != "/regionId" || !strings.Contains(string(c.Config), `"accessKeySecret":"***"`) {
		t.Errorf("%+v %s", c, c.Config)
	}
	if _, ok := s.Connector("aliyun-direct-mail"); ok || len(s.FileProblems()) != 2 || s.aliases() != "a=A" {
		t.Errorf("%+v, active %s", s.FileProblems(), s.aliases())
	}
	if s.logged("cannot use connector file") != 2 || s.logged("last good version") > 0 {
		t.Error("the log names a last good version of a new file")
	}
}

func TestVanishedFilesStayActive(t *testing.T) {
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
			s.load()
			must(t, tt.vanish(s))
			for range 3 {
				s.Reload(t.Context())
				s.wantProblems(1)
			}
			problem := s.FileProblems()[0]
			if s.aliases() != tt.want || problem.Path != filepath.Join(s.folder, tt.path) || problem.ID != tt.id || s.logged("level=ERROR") != 1 {
				t.Errorf("active %q, problem %+v, log\n%s", s.aliases(), problem, s.log.String())
			}
			if c, ok := s.Connector(tt.id); ok && (len(c.Problems) != 1 || !c.Active) {
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

// Editors move a file aside before they write the new one.
func TestFileGoesWhenItIsMissingTwiceInARow(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load()
	away := func() { must(t, os.Rename(s.path("b.json"), s.path("b.json~"))) }
	back := func() { must(t, os.Rename(s.path("b.json~"), s.path("b.json"))) }
	stays := func(what string) {
		t.Helper()
		if s.Reload(t.Context()); s.aliases() != "a=A b=B" || s.applications() != 1 {
			t.Errorf("%s: active %q, applied %d times", what, s.aliases(), s.applications())
		}
	}
	away()
	stays("missing once")
	back()
	stays("there again")
	away()
	stays("missing once more")
	must(t, os.Rename(s.folder, s.folder+"-away"))
	stays("a folder that cannot be read")
	must(t, os.Rename(s.folder+"-away", s.folder))
	stays("missing, for the first time since the folder can be read again")
	if s.Reload(t.Context()); s.aliases() != "a=A" || s.logged("connector file is gone") != 1 {
		t.Errorf("missing twice in a row: active %q", s.aliases())
	}
}

// A folder may be empty at the start and fill later; that it has lost its only
// file that was never good is no loss.
func TestFolderThatIsEmptyAtTheStart(t *testing.T) {
	s := newStage(t, inFolder)
	s.load().Reload(t.Context())
	s.wantProblems(0)
	s.write("a.json", "{")
	s.Reload(t.Context())
	s.wantProblems(1)
	must(t, os.Remove(s.path("a.json")))
	s.Reload(t.Context())
	s.Reload(t.Context())
	s.wantProblems(0)
	if s.logged("level=ERROR") != 1 { // the file's own
		t.Error(s.log.String())
	}
	s.write("a.json", connectorJSON("A"))
	s.Reload(t.Context())
	s.wantAliases("a=A")
}

func TestUnchangedConnectorsStayTheSame(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load()
	before := s.active()
	s.write("a.json", connectorJSON("A2"))
	s.write("b.json", connectorJSON("B", `"$schema": "x"`)+"\n\n")
	s.Reload(t.Context())
	now := s.active()
	if now["b"] != before["b"] || now["a"].Composer == before["a"].Composer || now["a"].Sender == before["a"].Sender || s.applications() != 2 {
		t.Errorf("before %v, now %v", before, now)
	}
}

func TestManyRewritesUnderReads(t *testing.T) {
	s := newStage(t, inFolder)
	s.write("a.json", connectorJSON("A"))
	s.write("b.json", connectorJSON("B"))
	s.load()
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
				if !ok || !c.Active || len(s.Connectors()) != 2 {
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
		s.Reload(t.Context())
	}
	s.wantAliases("a=Ar b=B")
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
