package sandbox_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm/sandbox"
)

func question(action string, parameters changes) map[string]string {
	return with(map[string]string{"Action": action, "Version": "2015-11-23", "Format": "JSON"}, parameters)
}

func TestDescAccountSummary(t *testing.T) {
	account := testAccount
	account.Status = 6
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{account}, DailyQuota: 10})
	a := do(t, s, rpcPOST(question("DescAccountSummary", nil)))
	var got map[string]any
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	delete(got, "RequestId")
	want := map[string]any{
		"UserStatus": 6.0, "QuotaLevel": 2.0, "MaxQuotaLevel": 10.0, "DailyQuota": 10.0, "MonthQuota": 300.0, "RemainFreeQuota": 2000.0,
		"DailyRemainFreeQuota": 200.0, "Domains": 1.0, "MailAddresses": 1.0, "Tags": 0.0, "Templates": 0.0, "EnableTimes": 0.0,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-want +got)\n%s", d)
	}
	xml := do(t, s, rpcPOST(question("DescAccountSummary", changes{"Format": "XML"})))
	if !strings.Contains(xml.Body, "<DescAccountSummaryResponse><RequestId>") || !strings.Contains(xml.Body, "<DailyQuota>10</DailyQuota>") {
		t.Errorf("%s", xml.Body)
	}
}

// named are the values of a member in an answer, in its order.
func named(body, member string) string {
	var list []string
	for _, m := range regexp.MustCompile(`"`+member+`":"?([^",}]*)`).FindAllStringSubmatch(body, -1) {
		list = append(list, m[1])
	}
	return strings.Join(list, " ")
}

func TestLists(t *testing.T) {
	account := sandbox.Account{
		AccessKeyID: keyID, AccessKeySecret: secret, Senders: []string{"b@one.example", "a@One.example", "c@two.example"},
		Frozen: []string{"C@two.example"}, Unverified: []string{"one.example"},
	}
	german := sandbox.Account{AccessKeyID: keyID, AccessKeySecret: secret, Senders: []string{"d@de.example"}, Region: "eu-central-1"}
	tests := map[string]struct {
		action     string
		parameters changes
		member     string
		want       string
	}{
		"senders":             {"QueryMailAddressByParam", nil, "AccountName", "b@one.example a@one.example c@two.example d@de.example"},
		"of a region":         {"QueryMailAddressByParam", changes{"RegionId": "us-east-1"}, "AccountName", "b@one.example a@one.example c@two.example"},
		"of their own region": {"QueryMailAddressByParam", changes{"RegionId": "eu-central-1"}, "AccountName", "b@one.example a@one.example c@two.example d@de.example"},
		"by keyword":          {"QueryMailAddressByParam", changes{"KeyWord": "A@one"}, "AccountName", "a@one.example"},
		"none":                {"QueryMailAddressByParam", changes{"KeyWord": "zz"}, "AccountName", ""},
		"batch senders":       {"QueryMailAddressByParam", changes{"Sendtype": "batch"}, "AccountName", ""},
		"triggered senders":   {"QueryMailAddressByParam", changes{"Sendtype": "trigger", "KeyWord": "two"}, "Sendtype", "trigger"},
		"a page":              {"QueryMailAddressByParam", changes{"PageSize": "3", "PageNo": "2"}, "AccountName", "d@de.example"},
		"beyond the last":     {"QueryMailAddressByParam", changes{"PageSize": "3", "PageNo": "9223372036854775807"}, "AccountName", ""},
		"the whole count":     {"QueryMailAddressByParam", changes{"PageSize": "3", "PageNo": "2"}, "TotalCount", "4"},
		"frozen":              {"QueryMailAddressByParam", nil, "AccountStatus", "0 0 1 0"},
		"unverified":          {"QueryMailAddressByParam", nil, "DomainStatus", "1 1 0 0"},
		"domains":             {"QueryDomainByParam", nil, "DomainName", "one.example two.example de.example"},
		"domain by keyword":   {"QueryDomainByParam", changes{"KeyWord": "TWO"}, "DomainName", "two.example"},
		"their status":        {"QueryDomainByParam", nil, "DomainStatus", "1 0 0"},
		"by status":           {"QueryDomainByParam", changes{"Status": "0"}, "DomainName", "two.example de.example"},
	}
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{account, german}})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, s, rpcPOST(question(tt.action, tt.parameters)))
			if got := named(a.Body, tt.member); a.Status != http.StatusOK || got != tt.want {
				t.Errorf("%d %s\nwant %s", a.Status, a.Body, tt.want)
			}
		})
	}
}

func TestAnySenderExists(t *testing.T) {
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: keyID, AccessKeySecret: secret}}})
	senders := do(t, s, rpcPOST(question("QueryMailAddressByParam", changes{"KeyWord": "a@b.example"})))
	domains := do(t, s, rpcPOST(question("QueryDomainByParam", changes{"KeyWord": "b.example"})))
	if named(senders.Body, "AccountName") != "a@b.example" || named(domains.Body, "DomainName") != "b.example" {
		t.Errorf("%s\n%s", senders.Body, domains.Body)
	}
}

func TestQuestionsRefused(t *testing.T) {
	sendOnly, denied := testAccount, testAccount
	sendOnly.AccessKeyID, sendOnly.SendOnly = "send-only", true
	denied.AccessKeyID, denied.Denied = "denied", true
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{testAccount, sendOnly, denied}})
	tests := map[string]struct {
		action string
		change changes
		status int
		code   string
	}{
		"may only send":         {"DescAccountSummary", changes{"AccessKeyId": "send-only"}, 403, "Forbidden.RAM"},
		"may not send, but ask": {"DescAccountSummary", changes{"AccessKeyId": "denied"}, 200, ""},
		"unknown key":           {"QueryDomainByParam", changes{"AccessKeyId": "other"}, 404, "InvalidAccessKeyId.NotFound"},
		"malformed time":        {"QueryDomainByParam", changes{"Timestamp": "x"}, 400, "InvalidTimeStamp.Format"},
		"another version":       {"QueryDomainByParam", changes{"Version": "2017-06-22"}, 400, "InvalidVersion"},
		"page 0":                {"QueryDomainByParam", changes{"PageNo": "0"}, 400, "InvalidPageNo"},
		"page size":             {"QueryMailAddressByParam", changes{"PageSize": "many"}, 400, "InvalidPageSize"},
		"keyword, underscore":   {"QueryMailAddressByParam", changes{"KeyWord": "no_reply"}, 400, "InvalidKeyWord"},
		"keyword of 61":         {"QueryMailAddressByParam", changes{"KeyWord": strings.Repeat("a", 61)}, 400, "InvalidKeyWord"},
		"domain with @":         {"QueryDomainByParam", changes{"KeyWord": "@example"}, 400, "InvalidKeyWord"},
		"domain of 51":          {"QueryDomainByParam", changes{"KeyWord": strings.Repeat("a", 51)}, 400, "InvalidKeyWord"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, s, rpcPOST(question(tt.action, tt.change)))
			if a.Status != tt.status || a.Code != tt.code {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

// What is wrong with an account stops its mail as well.
func TestAccountsThatCannotSend(t *testing.T) {
	tests := map[string]struct {
		change func(*sandbox.Account)
		code   string
	}{
		"overdue":             {func(a *sandbox.Account) { a.Status = 2 }, "InvalidUserStatus.Malformed"},
		"sender elsewhere":    {func(a *sandbox.Account) { a.Region = "us-east-1" }, "InvalidMailAddress.NotFound"},
		"frozen sender":       {func(a *sandbox.Account) { a.Frozen = []string{strings.ToUpper(sender)} }, "InvalidMailAddressStatus.Malformed"},
		"unverified domain":   {func(a *sandbox.Account) { a.Unverified = []string{"Mail.example.com"} }, "InvalidMailAddressDomainStatus.Malformed"},
		"another is frozen":   {func(a *sandbox.Account) { a.Frozen = []string{"x@mail.example.com"} }, ""},
		"may send, not ask":   {func(a *sandbox.Account) { a.SendOnly = true }, ""},
		"in the right region": {func(a *sandbox.Account) { a.Region = "cn-hangzhou" }, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			account := testAccount
			tt.change(&account)
			s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{account}})
			a := do(t, s, rpcPOST(with(mailTo("user@example.com"), changes{"RegionId": "cn-hangzhou"})))
			if a.Code != tt.code || (len(s.Mails()) == 1) != (tt.code == "") {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
}

func TestFaultsOfQuestions(t *testing.T) {
	s := newSandbox(sandbox.Options{})
	for name, fault := range map[string]sandbox.Fault{
		"unknown action":   {Kind: "error", Code: "InternalError", Action: "BatchSendMail"},
		"with a recipient": {Kind: "error", Code: "InternalError", Action: "DescAccountSummary", To: "user@example.com"},
		"spoils a receipt": {Kind: "broken-json", Action: "DescAccountSummary"},
	} {
		if err := s.SetFaults(fault); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	err := s.SetFaults(
		sandbox.Fault{Kind: "error", Code: "Throttling.User", Action: "DescAccountSummary", Times: 1},
		sandbox.Fault{Kind: "html", Action: "QueryDomainByParam"},
		sandbox.Fault{Kind: "delay", Duration: "1ms", Action: "QueryMailAddressByParam"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if a := do(t, s, rpcPOST(question("DescAccountSummary", nil))); a.Code != "Throttling.User" {
		t.Errorf("%s", a.Body)
	}
	if a := do(t, s, rpcPOST(question("DescAccountSummary", nil))); a.Status != http.StatusOK {
		t.Errorf("%s", a.Body)
	}
	if a := do(t, s, rpcPOST(question("QueryMailAddressByParam", nil))); a.Status != http.StatusOK {
		t.Errorf("%s", a.Body)
	}
	wantAccepted(t, do(t, s, rpcPOST(mailTo("user@example.com"))))
}
