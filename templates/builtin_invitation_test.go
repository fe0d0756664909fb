package templates_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dmconnector/templates"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var updateBuiltin = flag.Bool("update-builtin", false, "rewrite the golden invitations")

func TestBuiltinInvitations(t *testing.T) {
	for _, lang := range languages {
		t.Run(lang, func(t *testing.T) {
			src := builtin(t, lang, "OrganizationInvitation")
			var got txtar.Archive
			for _, c := range invitations() {
				mail := render(t, src, c.payload)
				checkSubject(t, mail.Subject)
				checkCode(t, mail, c.payload["code"], 1)
				checkLink(t, mail, c.payload["link"])
				got.Files = append(got.Files, txtar.File{
					Name: c.name, Data: fmt.Appendf(nil, "Subject: %s\n\n%s", mail.Subject, mail.Text),
				})
			}
			compareGolden(t, filepath.Join("testdata", "builtin", "invitation-"+lang+".txtar"), txtar.Format(&got))
		})
	}
}

type invitation struct {
	name    string
	payload map[string]any
}

// invitations are all combinations of link, code and inviter, then those of an
// inviter or organization that is not as usual.
func invitations() []invitation {
	const link, code = "https://app.example.com/join?token=abc&x=1", "JOIN-123"
	organization := map[string]any{"id": "o1", "name": "Acme & Söhne <GmbH>", "branding": map[string]any{}}
	inviter := func(name, username, email any) map[string]any {
		return map[string]any{
			"id": "u1", "avatar": nil, "name": name, "username": username, "primaryEmail": email,
			"primaryPhone": nil, "profile": map[string]any{},
		}
	}
	var all []invitation
	for i := range 8 {
		c := invitation{name: "organization", payload: map[string]any{"organization": organization}}
		if i&1 == 0 {
			c.name, c.payload["link"] = c.name+", link", link
		}
		if i&2 == 0 {
			c.name, c.payload["code"] = c.name+", code", code
		}
		if i&4 == 0 {
			c.name, c.payload["inviter"] = c.name+", inviter", inviter("Alice Müller", "alice", "user@example.com")
		}
		all = append(all, c)
	}
	return append(
		all,
		invitation{"inviter with username and address", map[string]any{"organization": organization, "inviter": inviter(nil, "bob", "user@example.com")}},
		invitation{"inviter with address", map[string]any{"organization": organization, "inviter": inviter(nil, nil, "user@example.com")}},
		invitation{"inviter with nothing", map[string]any{"organization": organization, "inviter": inviter(nil, nil, nil), "link": link}},
		invitation{"organization is a string", map[string]any{"organization": "Acme", "inviter": inviter("Alice Müller", nil, nil), "code": code}},
		invitation{"organization without a name", map[string]any{"organization": map[string]any{"id": "o1", "name": ""}, "code": code}},
		invitation{"nothing at all", map[string]any{}},
		invitation{"nulls", map[string]any{"organization": nil, "inviter": nil, "link": nil, "code": nil}},
	)
}

func checkLink(t *testing.T, mail templates.Rendered, value any) {
	t.Helper()
	link, _ := value.(string)
	if link == "" {
		if strings.Contains(mail.HTML, "<a ") {
			t.Error("a button for a link that is not there")
		}
		return
	}
	escaped := strings.ReplaceAll(link, "&", "&amp;")
	if strings.Count(mail.HTML, `href="`+escaped+`"`) != 2 || !strings.Contains(mail.HTML, ">"+escaped+"</a>") {
		t.Error("the HTML lacks the button or the plain link")
	}
	if !strings.Contains(mail.Text, "\n\n"+link+"\n\n") {
		t.Errorf("the link is not on its own line in the text:\n%s", mail.Text)
	}
}

func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *updateBuiltin {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s (-want +got):\n%s", file, cmp.Diff(string(want), string(got)))
	}
}
