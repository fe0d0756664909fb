package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/doctor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checks are all of them, in their order.
var checks = []doctor.Check{
	doctor.Config, doctor.Name, doctor.Connection, doctor.Clock, doctor.Key,
	doctor.Permission, doctor.Account, doctor.Sender, doctor.Domain, doctor.Reply,
}

const sender = "noreply@mail.example.com"

func goodAccount() sandbox.Account {
	return sandbox.Account{AccessKeyID: "sandbox-key-0123456", AccessKeySecret: "hunter2-secret", Senders: []string{sender}}
}

func goodConfig() *connector.Config {
	return &connector.Config{AccessKeyID: "sandbox-key-0123456", AccessKeySecret: "hunter2-secret", AccountName: sender, RegionID: "cn-hangzhou"}
}

// clientAt makes a client as the program does, with connections of its own.
func clientAt(t *testing.T, cfg *connector.Config, endpoint string) *aliyundm.Client {
	t.Helper()
	transport := aliyundm.NewHTTPClient()
	t.Cleanup(transport.CloseIdleConnections)
	return clientWith(t, cfg, endpoint, transport)
}

func clientWith(t *testing.T, cfg *connector.Config, endpoint string, transport *http.Client) *aliyundm.Client {
	t.Helper()
	client, err := aliyundm.NewClient(aliyundm.Options{
		Region: cfg.RegionID, Endpoint: endpoint, HTTP: transport,
		Credentials: aliyundm.Credentials{AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// examine has a connector looked at whose Aliyun is the handler.
func examine(t *testing.T, cfg *connector.Config, handler http.Handler) doctor.Report {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return doctor.Examine(t.Context(), doctor.Patient{Config: cfg, Client: clientAt(t, cfg, server.URL)})
}

// findings are those that are not good, a word each.
func findings(r doctor.Report) string {
	var list []string
	for _, s := range r.Steps {
		if s.Status != doctor.Good {
			list = append(list, fmt.Sprintf("%s:%s:%s", s.Check, s.Status, s.Finding))
		}
	}
	return strings.Join(list, " ")
}

func step(t *testing.T, r doctor.Report, check doctor.Check) doctor.Step {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(s doctor.Step) bool { return s.Check == check })
	if i < 0 {
		t.Fatalf("no step %s in %+v", check, r)
	}
	return r.Steps[i]
}

func fails(action, code string) sandbox.Fault {
	return sandbox.Fault{Kind: "error", Code: code, Action: action}
}

func TestExamine(t *testing.T) {
	const afterKey = " permission:skipped:needs_key account:skipped:needs_key sender:skipped:needs_key domain:skipped:needs_key reply:skipped:needs_key"
	tests := map[string]struct {
		account func(*sandbox.Account)
		config  func(*connector.Config)
		faults  []sandbox.Fault
		outcome doctor.Status
		want    string
	}{
		"in order": {outcome: doctor.Good},
		"with all settings": {config: func(c *connector.Config) {
			c.FromAlias, c.ReplyAddress, c.TagName = "Example", "help@example.com", "codes"
		}, outcome: doctor.Good},
		"unknown key":  {config: func(c *connector.Config) { c.AccessKeyID = "another-key" }, outcome: doctor.Problem, want: "key:problem:key_refused" + afterKey},
		"wrong secret": {config: func(c *connector.Config) { c.AccessKeySecret = "another" }, outcome: doctor.Problem, want: "key:problem:key_refused" + afterKey},
		"disabled key": {faults: []sandbox.Fault{fails("", "InvalidAccessKeyId.Inactive")}, account: takesAnything, outcome: doctor.Problem, want: "key:problem:key_refused" + afterKey},
		"a role's key": {config: func(c *connector.Config) {
			c.AccessKeyID, c.Credentials = "another-key", &connector.Role{Type: "ecs_ram_role"}
		}, outcome: doctor.Problem, want: "key:problem:role_key_refused" + afterKey},
		"may not send": {account: func(a *sandbox.Account) { a.Denied = true }, outcome: doctor.Problem, want: "permission:problem:send_denied"},
		"may only send": {
			account: func(a *sandbox.Account) { a.SendOnly = true }, outcome: doctor.Good,
			want: "account:skipped:not_permitted sender:skipped:not_permitted domain:skipped:not_permitted",
		},
		"overdue": {account: func(a *sandbox.Account) { a.Status = 2 }, outcome: doctor.Problem, want: "account:problem:account_stopped"},
		"overdue, may only send": {
			account: func(a *sandbox.Account) { a.Status, a.SendOnly = 2, true }, outcome: doctor.Problem,
			want: "account:problem:trial_refused sender:skipped:not_permitted domain:skipped:not_permitted",
		},
		"frozen sender": {account: func(a *sandbox.Account) { a.Frozen = []string{sender} }, outcome: doctor.Problem, want: "sender:problem:sender_frozen"},
		"frozen sender, may only send": {
			account: func(a *sandbox.Account) { a.Frozen, a.SendOnly = []string{sender}, true }, outcome: doctor.Problem,
			want: "account:skipped:not_permitted sender:problem:trial_refused domain:skipped:not_permitted",
		},
		"unverified domain": {account: func(a *sandbox.Account) { a.Unverified = []string{"mail.example.com"} }, outcome: doctor.Problem, want: "domain:problem:domain_unverified"},
		"unverified domain, by the sender's entry": {
			account: func(a *sandbox.Account) { a.Unverified = []string{"mail.example.com"} },
			faults:  []sandbox.Fault{fails("QueryDomainByParam", "Forbidden.RAM")}, outcome: doctor.Problem, want: "domain:problem:domain_unverified",
		},
		"sender elsewhere": {
			account: func(a *sandbox.Account) { a.Region = "eu-central-1" }, outcome: doctor.Problem,
			want: "sender:problem:sender_elsewhere domain:skipped:needs_sender",
		},
		"sender elsewhere, may only send": {
			account: func(a *sandbox.Account) { a.Region, a.SendOnly = "eu-central-1", true }, outcome: doctor.Problem,
			want: "account:skipped:not_permitted sender:problem:sender_elsewhere domain:skipped:needs_sender",
		},
		"sender misspelt": {
			config: func(c *connector.Config) { c.AccountName = "no-reply@mail.example.com" }, outcome: doctor.Problem,
			want: "sender:problem:sender_missing",
		},
		"sender with a domain of its own": {
			config: func(c *connector.Config) { c.AccountName = "no_reply@example.org" }, outcome: doctor.Problem,
			want: "sender:problem:sender_missing domain:problem:domain_missing",
		},
		"an address no search takes": {
			account: func(a *sandbox.Account) { a.Senders = []string{sender, "No_Reply+1@mail.example.com"} },
			config:  func(c *connector.Config) { c.AccountName = "no_reply+1@Mail.example.com" }, outcome: doctor.Good,
		},
		"too many questions": {faults: []sandbox.Fault{fails("DescAccountSummary", "Throttling.User")}, outcome: doctor.Warning, want: "account:warning:not_answered"},
		"not activated": {
			faults: []sandbox.Fault{fails("DescAccountSummary", "InvalidUser.NotFound")}, outcome: doctor.Problem, want: "account:problem:not_answered",
		},
		"an answer that is none": {
			faults:  []sandbox.Fault{{Kind: "html", Action: "QueryDomainByParam"}, {Kind: "empty", Action: "QueryMailAddressByParam"}},
			outcome: doctor.Warning, want: "sender:warning:not_answered domain:warning:not_answered",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			account, cfg := goodAccount(), goodConfig()
			if tt.account != nil {
				tt.account(&account)
			}
			if tt.config != nil {
				tt.config(cfg)
			}
			s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{account}})
			t.Cleanup(s.Close)
			var handler http.Handler = s
			if len(tt.faults) > 0 && tt.faults[0].Action == "" {
				handler = refusing(tt.faults[0].Code)
			} else if err := s.SetFaults(tt.faults...); err != nil {
				t.Fatal(err)
			}
			report := examine(t, cfg, handler)
			if got := findings(report); got != tt.want || report.Outcome != tt.outcome {
				t.Errorf("%s: %s\nwant %s: %s", report.Outcome, got, tt.outcome, tt.want)
			}
			for i, check := range checks {
				if len(report.Steps) <= i || report.Steps[i].Check != check || report.Steps[i].Detail == "" || strings.ContainsAny(report.Steps[i].Detail+report.Steps[i].Cure, "{}") {
					t.Errorf("step %d of %+v is not for %s", i, report.Steps, check)
				}
			}
			for _, s := range report.Steps {
				if s.Status == doctor.Problem && s.Cure == "" {
					t.Errorf("a problem without a cure: %+v", s)
				}
			}
			if shown := fmt.Sprintf("%+v", report); strings.Contains(shown, "hunter2") || strings.Contains(shown, "sandbox-key") {
				t.Errorf("the report has a secret: %s", shown)
			}
			if len(s.Mails()) > 0 {
				t.Errorf("mails %+v", s.Mails())
			}
		})
	}
}

func takesAnything(*sandbox.Account) {}

// refusing answers every signed call with an error's code, after a plain request
// that is answered by anything.
func refusing(code string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"Code":%q,"Message":"The request was denied.","RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`, code)
	})
}

// A finding that is misspelt would have no texts.
func TestEveryFindingIsInTheTable(t *testing.T) {
	var table map[string]doctor.Step
	text, err := os.ReadFile("findings.json")
	if err == nil {
		err = json.Unmarshal(text, &table)
	}
	if err != nil {
		t.Fatal(err)
	}
	var source []byte
	for _, name := range []string{"checks.go", "doctor.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	used := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\b(?:found|refused|block)\("([a-z_]+)"`).FindAllSubmatch(source, -1) {
		used[string(m[1])] = true
	}
	for finding := range used {
		if s := table[finding]; s.Status == "" {
			t.Errorf("%s is not in findings.json", finding)
		}
	}
	for finding := range table {
		if !used[finding] {
			t.Errorf("%s of findings.json is never found", finding)
		}
	}
}

// What a trial call is refused for is told at the check it is about.
func TestTrialCall(t *testing.T) {
	tests := map[string]struct {
		code string
		want doctor.Check
	}{
		"quota":             {"InvalidQuota", doctor.Account},
		"IP protection":     {"InvalidIP.NotFound", doctor.Account},
		"tag":               {"InvalidTag.NotFound", doctor.Sender},
		"alias":             {"InvalidFromAlias.Malformed", doctor.Sender},
		"type of sender":    {"InvalidMailAddressSendType.Malformed", doctor.Sender},
		"domain":            {"InvalidMailAddressDomainStatus.Malformed", doctor.Domain},
		"reply address":     {"InvalidReplyAddress.Malformed", doctor.Reply},
		"console's reply":   {"InvalidMailAddressReplyName.Malformed", doctor.Reply},
		"risk control":      {"Forbidden.RiskControl", doctor.Permission},
		"unknown to anyone": {"Surprise.New", doctor.Permission},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{goodAccount()}})
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if strings.Contains(string(body), "Action=SingleSendMail") {
					refusing(tt.code).ServeHTTP(w, r)
					return
				}
				r.Body = io.NopCloser(strings.NewReader(string(body)))
				s.ServeHTTP(w, r)
			})
			report := examine(t, goodConfig(), handler)
			got := step(t, report, tt.want)
			if got.Status != doctor.Problem || got.Code != tt.code || got.Cure == "" || got.RequestID == "" {
				t.Errorf("%+v", got)
			}
			if n := strings.Count(findings(report), ":problem:"); n != 1 {
				t.Errorf("%d problems: %s", n, findings(report))
			}
		})
	}
}

func TestClock(t *testing.T) {
	tests := map[string]struct {
		off    time.Duration // of the endpoint's clock
		status doctor.Status
		detail string
	}{
		"right":          {0, doctor.Good, "agrees"},
		"half a minute":  {30 * time.Second, doctor.Good, "agrees"},
		"slow":           {5 * time.Minute, doctor.Warning, "behind"},
		"fast":           {-5 * time.Minute, doctor.Warning, "ahead of"},
		"useless":        {20 * time.Minute, doctor.Problem, "15 minutes"},
		"a day too late": {-24 * time.Hour, doctor.Problem, "ahead of"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := sandbox.New(sandbox.Options{
				Accounts: []sandbox.Account{goodAccount()}, Now: func() time.Time { return time.Now().Add(tt.off) },
			})
			report := examine(t, goodConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(tt.off).UTC().Format(http.TimeFormat))
				s.ServeHTTP(w, r)
			}))
			if got := step(t, report, doctor.Clock); got.Status != tt.status || !strings.Contains(got.Detail, tt.detail) {
				t.Errorf("%+v", got)
			}
			// The call is made again with the endpoint's time.
			if key := step(t, report, doctor.Key); key.Finding != "key_good" {
				t.Errorf("key: %+v", key)
			}
		})
	}
}

func TestClockUnknown(t *testing.T) {
	report := examine(t, goodConfig(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	if got := step(t, report, doctor.Clock); got.Status != doctor.Skipped || got.Finding != "clock_unknown" {
		t.Errorf("%+v", got)
	}
	if got := step(t, report, doctor.Key); got.Finding != "no_answer" {
		t.Errorf("%+v", got)
	}
}

func TestTheWayThere(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the client's alert
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	tests := map[string]struct{ endpoint, finding, cure string }{
		"no such name":          {"https://dm.invalid", "name_unknown", "regionId"},
		"a VPC's name":          {"https://dm-vpc.invalid", "name_unknown", "VPC"},
		"nobody listens":        {closed.URL, "unreached", "firewall"},
		"unknown authority":     {untrusted.URL, "tls_failed", "root certificates"},
		"no TLS":                {"https://" + listen(t, func(c net.Conn) { io.WriteString(c, "220 mail.example.com ESMTP\r\n") }), "tls_failed", "spelling"},
		"hangs up":              {"http://" + listen(t, func(net.Conn) {}), "unanswered", "between"},
		"speaks something else": {"http://" + listen(t, func(c net.Conn) { io.WriteString(c, "220 mail.example.com ESMTP\r\n") }), "unanswered", "between"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig()
			report := doctor.Examine(t.Context(), doctor.Patient{Config: cfg, Client: clientAt(t, cfg, tt.endpoint)})
			var bad []doctor.Step
			for _, s := range report.Steps {
				if s.Status == doctor.Problem {
					bad = append(bad, s)
				}
			}
			if len(bad) != 1 || bad[0].Finding != tt.finding || !strings.Contains(bad[0].Cure, tt.cure) || report.Outcome != doctor.Problem {
				t.Errorf("%+v", report)
			}
			if got := step(t, report, doctor.Reply); got.Finding != "needs_connection" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// listen answers each connection by do and closes it.
func listen(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			do(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().String()
}

func TestBrokenConnector(t *testing.T) {
	report := doctor.Examine(t.Context(), doctor.Patient{Report: connector.Report{Errors: []connector.Problem{{Pointer: "/accountName", Detail: "is missing"}}}})
	if got := step(t, report, doctor.Config); got.Status != doctor.Problem || !strings.Contains(got.Detail, "/accountName: is missing") {
		t.Errorf("%+v", got)
	}
	if report.Outcome != doctor.Problem || len(report.Steps) != len(checks) {
		t.Errorf("%+v", report)
	}
}

func TestNoConditionIsLeftOut(t *testing.T) {
	for status, want := range map[string]string{"3": "it is frozen and overdue.", "64": "it is in the unknown status 64."} {
		report := examine(t, goodConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("Action") == "DescAccountSummary" {
				fmt.Fprintf(w, `{"UserStatus":%s}`, status)
				return
			}
			refusing("InvalidToAddress").ServeHTTP(w, r)
		}))
		if got := step(t, report, doctor.Account); !strings.HasSuffix(got.Detail, want) || got.Cure == "" {
			t.Errorf("status %s: %+v, want %s", status, got, want)
		}
	}
}

// A key that may not look in the other regions still tries there.
func TestSenderThatIsNowhere(t *testing.T) {
	account, cfg := goodAccount(), goodConfig()
	account.SendOnly, cfg.AccountName = true, "no-reply@mail.example.com"
	s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{account}})
	t.Cleanup(s.Close)
	got := step(t, examine(t, cfg, s), doctor.Sender)
	if got.Finding != "sender_missing" || !strings.HasSuffix(got.Detail, ", nor in any other region.") {
		t.Errorf("%+v", got)
	}
}

func TestCertificateThatExpires(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	expires := time.Now().Add(48 * time.Hour)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: expires, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{goodAccount()}})
	t.Cleanup(s.Close)
	server := httptest.NewUnstartedServer(s)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)

	client := aliyundm.NewHTTPClient()
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	client.Transport.(*http.Transport).TLSClientConfig.RootCAs = roots
	t.Cleanup(client.CloseIdleConnections)
	report := doctor.Examine(t.Context(), doctor.Patient{Config: goodConfig(), Client: clientWith(t, goodConfig(), server.URL, client)})
	got := step(t, report, doctor.Connection)
	if got.Status != doctor.Warning || got.Finding != "certificate_expires" || got.Values["date"] != expires.UTC().Format(time.DateOnly) {
		t.Errorf("%+v", got)
	}
	if report.Outcome != doctor.Warning {
		t.Errorf("%+v", report)
	}
}

// What Direct Mail tells beyond what the sandbox has.
func TestAnswers(t *testing.T) {
	answers := map[string]string{
		"DescAccountSummary":      `{"UserStatus":0,"DailyQuota":2000,"MonthQuota":60000,"QuotaLevel":2,"MaxQuotaLevel":10,"RequestId":"x"}`,
		"QueryMailAddressByParam": `{"TotalCount":1,"data":{"mailAddress":[{"AccountName":"noreply@mail.example.com","Sendtype":"trigger","AccountStatus":0,"DomainStatus":0,"ReplyStatus":0}]}}`,
		"QueryDomainByParam":      `{"TotalCount":1,"data":{"domain":[{"DomainName":"mail.example.com","DomainStatus":0,"SpfAuthStatus":0,"MxAuthStatus":0}]}}`,
	}
	tests := map[string]struct{ action, answer, want string }{
		"numbers bare":         {"", "", ""},
		"several conditions":   {"DescAccountSummary", `{"UserStatus":3}`, "account:problem:account_stopped"},
		"a new condition":      {"DescAccountSummary", `{"UserStatus":64}`, "account:problem:account_stopped"},
		"no quota":             {"DescAccountSummary", `{"UserStatus":"0","DailyQuota":0,"MonthQuota":"0"}`, "account:problem:quota_none"},
		"quota not told":       {"DescAccountSummary", `{"UserStatus":"0"}`, ""},
		"batch":                {"QueryMailAddressByParam", `{"data":{"mailAddress":[{"AccountName":"NoReply@mail.example.com","Sendtype":"batch","AccountStatus":"0"}]}}`, "sender:warning:sender_batch"},
		"reply not verified":   {"QueryMailAddressByParam", `{"data":{"mailAddress":[{"AccountName":"noreply@mail.example.com","ReplyAddress":"help@example.com","ReplyStatus":"1"}]}}`, "reply:warning:reply_unverified"},
		"on the second page":   {"QueryMailAddressByParam", `{"TotalCount":51,"data":{"mailAddress":[]}}`, ""},
		"one that contains it": {"QueryDomainByParam", `{"data":{"domain":[{"DomainName":"x.mail.example.com","DomainStatus":"1"}]}}`, "domain:warning:domain_unlisted"},
		"SPF missing":          {"QueryDomainByParam", `{"data":{"domain":[{"DomainName":"mail.example.com","DomainStatus":"0","SpfAuthStatus":"1","MxAuthStatus":"0"}]}}`, "domain:warning:domain_records"},
		"sends, not filed":     {"QueryDomainByParam", `{"data":{"domain":[{"DomainName":"mail.example.com","DomainStatus":"3","SpfAuthStatus":"0","MxAuthStatus":"0"}]}}`, ""},
		"no list":              {"QueryDomainByParam", `{"data":null,"RequestId":"x"}`, "domain:warning:domain_unlisted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			report := examine(t, goodConfig(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				action := r.Form.Get("Action")
				switch {
				case action == "SingleSendMail":
					refusing("InvalidToAddress").ServeHTTP(w, r)
				case action == tt.action && r.Form.Get("PageNo") != "2":
					io.WriteString(w, tt.answer)
				default:
					io.WriteString(w, answers[action])
				}
			}))
			if got := findings(report); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}
