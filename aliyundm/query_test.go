package aliyundm_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
)

// asked returns a client that is answered the body, and where its calls are kept.
func asked(t *testing.T, o aliyundm.Options, status int, body string) (*aliyundm.Client, *[]*http.Request) {
	t.Helper()
	var calls []*http.Request
	o.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		calls = append(calls, r)
		return reply(status, body), nil
	})}
	return mustClient(t, o), &calls
}

func TestQueriesAreSignedAndKeepTheirParametersOffTheURL(t *testing.T) {
	client, calls := asked(t, aliyundm.Options{Region: "us-east-1"}, 200, `{"UserStatus":0,"data":{}}`)
	if _, err := client.DescAccountSummary(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := client.FindMailAddress(t.Context(), "no-reply@example.com"); err != nil {
		t.Error(err)
	}
	if _, err := client.FindDomain(t.Context(), "example.com"); err != nil {
		t.Error(err)
	}
	want := []url.Values{
		{"Action": {"DescAccountSummary"}},
		{"Action": {"QueryMailAddressByParam"}, "KeyWord": {"no-reply@example.com"}, "PageNo": {"1"}, "PageSize": {"50"}},
		{"Action": {"QueryDomainByParam"}, "KeyWord": {"example.com"}, "PageNo": {"1"}, "PageSize": {"50"}},
	}
	var got []url.Values
	for _, r := range *calls {
		params := map[string]string{}
		for name := range r.Form {
			params[name] = r.Form.Get(name)
		}
		if r.Method != http.MethodPost || r.URL.RawQuery != "" || params["Signature"] != signature("POST", params, testKey.AccessKeySecret) || params["RegionId"] != "us-east-1" {
			t.Errorf("%s %s %v", r.Method, r.URL, params)
		}
		for _, common := range []string{
			"AccessKeyId", "Format", "RegionId", "Signature", "SignatureMethod", "SignatureNonce", "SignatureVersion", "Timestamp", "Version",
		} {
			r.Form.Del(common)
		}
		got = append(got, r.Form)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestKeywords(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := map[string]struct{ address, want string }{
		"plain":             {"no-reply.1@example.com", "no-reply.1@example.com"},
		"underscore":        {"no_reply@example.com", "example.com"},
		"plus":              {"a+b@example.com", "example.com"},
		"long":              {long + "@example.com", "example.com"},
		"long domain":       {"a@" + long + ".example.com", strings.Repeat("a", 48) + ".example.com"},
		"beyond the limit ": {strings.Repeat("b", 49) + "@example.com", "example.com"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, calls := asked(t, aliyundm.Options{}, 200, `{"data":{}}`)
			if _, err := client.FindMailAddress(t.Context(), tt.address); err != nil {
				t.Error(err)
			}
			if got := (*calls)[0].Form.Get("KeyWord"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestQueryRefused(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		code   string
		denied bool
	}{
		"RAM":             {403, `{"Code":"Forbidden.RAM","Message":"x"}`, "Forbidden.RAM", true},
		"no permission":   {403, `{"Code":"NoPermission","Message":"x"}`, "NoPermission", true},
		"Direct Mail's":   {400, `{"Code":"Forbidden","Message":"x"}`, "Forbidden", true},
		"risk control":    {403, `{"Code":"Forbidden.RiskControl","Message":"x"}`, "Forbidden.RiskControl", false},
		"disabled key":    {403, `{"Code":"Forbidden.AccessKeyDisabled","Message":"x"}`, "Forbidden.AccessKeyDisabled", false},
		"XML":             {403, `<Error><Code>Forbidden.RAM</Code></Error>`, "Forbidden.RAM", true},
		"a page":          {502, `<html>`, "", false},
		"not an answer":   {200, `{"EnvId":"6"}`, "", false},
		"no JSON":         {200, `<html>`, "", false},
		"an error as 200": {200, `{"Code":"Forbidden.RAM","Message":"x"}`, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, _ := asked(t, aliyundm.Options{}, tt.status, tt.body)
			_, first := client.DescAccountSummary(t.Context())
			_, second := client.FindMailAddress(t.Context(), "a@example.com")
			_, third := client.FindDomain(t.Context(), "example.com")
			for _, err := range []error{first, second, third} {
				if e, ok := errors.AsType[*aliyundm.Error](err); !ok || e.Code != tt.code || e.Denied() != tt.denied || e.Message == "" && e.Code == "" {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// A list that never ends is given up.
func TestQueryEnds(t *testing.T) {
	client, calls := asked(t, aliyundm.Options{}, 200, `{"TotalCount":"1000000","data":{"mailAddress":[{"AccountName":"other@example.com"}]}}`)
	if m, err := client.FindMailAddress(t.Context(), "a@example.com"); m != nil || err != nil || len(*calls) != 20 {
		t.Errorf("%v, %v after %d calls", m, err, len(*calls))
	}
}

// A key for one of Direct Mail's hosts may go to all of them; one for a host of
// the operator's stays there.
func TestInAnotherRegion(t *testing.T) {
	frankfurt, _ := aliyundm.FindRegion("eu-central-1")
	tests := map[string]struct{ endpoint, want string }{
		"the region's":      {"", "https://dm.eu-central-1.aliyuncs.com/"},
		"a VPC's":           {"dm-vpc.cn-hangzhou.aliyuncs.com", "https://dm.eu-central-1.aliyuncs.com/"},
		"a sandbox":         {"http://127.0.0.1:8025", "http://127.0.0.1:8025/"},
		"the operator's":    {"https://mail.example.com", "https://mail.example.com/"},
		"a port of its own": {"https://dm.aliyuncs.com:8443", "https://dm.aliyuncs.com:8443/"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, calls := asked(t, aliyundm.Options{Endpoint: tt.endpoint}, 200, `{"data":{}}`)
			if _, err := client.In(frankfurt).FindDomain(t.Context(), "example.com"); err != nil {
				t.Error(err)
			}
			if _, err := client.FindDomain(t.Context(), "example.com"); err != nil {
				t.Error(err)
			}
			if there := (*calls)[0]; there.URL.String() != tt.want || there.Form.Get("RegionId") != "eu-central-1" {
				t.Errorf("%s, region %s", there.URL, there.Form.Get("RegionId"))
			}
			if here := (*calls)[1]; here.Form.Get("RegionId") != "cn-hangzhou" {
				t.Errorf("the client itself has moved to %s", here.Form.Get("RegionId"))
			}
		})
	}
}

// No mail can come of a probe.
func TestProbe(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   aliyundm.Probe
		fails  bool
	}{
		"only the recipient is wrong": {400, `{"Code":"InvalidToAddress","Message":"x"}`, aliyundm.Probe{Passed: true}, false},
		"more is wrong":               {404, `{"Code":"InvalidMailAddress.NotFound","Message":"x"}`, aliyundm.Probe{}, true},
		"accepted":                    {200, receiptJSON, aliyundm.Probe{Sent: true}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, calls := asked(t, aliyundm.Options{}, tt.status, tt.body)
			probe, err := client.Probe(t.Context(), aliyundm.Mail{AccountName: "a@b.example", To: "user@example.com", TagName: "codes"})
			if probe != tt.want || (err != nil) != tt.fails {
				t.Errorf("%+v, %v", probe, err)
			}
			form := (*calls)[0].Form
			if to := form.Get("ToAddress"); to == "" || strings.Contains(to, "@") || form.Get("AccountName") != "a@b.example" || form.Get("TagName") != "codes" {
				t.Errorf("%v", form)
			}
		})
	}
}
