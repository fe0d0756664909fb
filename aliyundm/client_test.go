package aliyundm_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
)

func mustParse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestEndpointOfRegion(t *testing.T) {
	tests := map[string]struct{ region, endpoint, want, wantRegion string }{
		"default":              {"", "", "https://dm.aliyuncs.com/", "cn-hangzhou"},
		"Hangzhou":             {"cn-hangzhou", "", "https://dm.aliyuncs.com/", "cn-hangzhou"},
		"Singapore":            {"ap-southeast-1", "", "https://dm.ap-southeast-1.aliyuncs.com/", "ap-southeast-1"},
		"Virginia":             {"us-east-1", "", "https://dm.us-east-1.aliyuncs.com/", "us-east-1"},
		"Frankfurt":            {"eu-central-1", "", "https://dm.eu-central-1.aliyuncs.com/", "eu-central-1"},
		"closed Sydney":        {"ap-southeast-2", "", "https://dm.ap-southeast-2.aliyuncs.com/", "ap-southeast-2"},
		"VPC":                  {"us-east-1", "dm-vpc.us-east-1.aliyuncs.com", "https://dm-vpc.us-east-1.aliyuncs.com/", "us-east-1"},
		"unknown, own host":    {"cn-shanghai", "https://DM.example.com:8443/", "https://dm.example.com:8443/", "cn-shanghai"},
		"loopback without TLS": {"", "http://127.0.0.1:8025", "http://127.0.0.1:8025/", "cn-hangzhou"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var called string
			client := mustClient(t, aliyundm.Options{
				Region: tt.region, Endpoint: tt.endpoint,
				HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					called = r.URL.String()
					if err := r.ParseForm(); err != nil || r.PostForm.Get("RegionId") != tt.wantRegion {
						t.Errorf("RegionId = %q, error %v; want %s", r.PostForm.Get("RegionId"), err, tt.wantRegion)
					}
					return reply(http.StatusOK, receiptJSON), nil
				})},
			})
			if _, err := client.SingleSendMail(t.Context(), testMail()); err != nil {
				t.Fatal(err)
			}
			if called != tt.want {
				t.Errorf("called %s, want %s", called, tt.want)
			}
		})
	}
}

func TestRegions(t *testing.T) {
	for i, region := range aliyundm.Regions() {
		found, ok := aliyundm.FindRegion(region.ID)
		if diff := cmp.Diff(region, found); !ok || diff != "" {
			t.Errorf("FindRegion(%q) = %v (-want +got):\n%s", region.ID, ok, diff)
		}
		if (i == 0) != (region.ID == aliyundm.DefaultRegion) {
			t.Errorf("region %d is %s", i, region.ID)
		}
		wantVPC := "dm-vpc." + region.ID + ".aliyuncs.com"
		if region.Name == "" || region.VPCEndpoint != wantVPC {
			t.Errorf("region = %+v", region)
		}
	}
	if region, ok := aliyundm.FindRegion("cn-shanghai"); ok {
		t.Errorf("found %+v", region)
	}
}

func TestParseEndpoint(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := map[string]struct{ endpoint, want, wantErr string }{
		"host":                {"dm-vpc.cn-hangzhou.aliyuncs.com", "https://dm-vpc.cn-hangzhou.aliyuncs.com/", ""},
		"host and port":       {"dm.example.com:8443", "https://dm.example.com:8443/", ""},
		"capitals":            {"HTTPS://Dm.Example.COM", "https://dm.example.com/", ""},
		"https":               {"https://dm.example.com/", "https://dm.example.com/", ""},
		"IPv4":                {"https://192.0.2.1", "https://192.0.2.1/", ""},
		"IPv6":                {"https://[2001:db8::1]:443", "https://[2001:db8::1]:443/", ""},
		"http, loopback":      {"http://127.8.9.10:8025", "http://127.8.9.10:8025/", ""},
		"http, IPv6 loopback": {"http://[::1]:8025", "http://[::1]:8025/", ""},
		"http, mapped":        {"http://[::ffff:127.0.0.1]:8025", "http://[::ffff:127.0.0.1]:8025/", ""},
		"http, localhost":     {"http://LocalHost:8025/", "http://localhost:8025/", ""},
		"http elsewhere":      {"http://dm.aliyuncs.com", "", "use https: plain http is for loopback only"},
		"http, private":       {"http://10.0.0.1", "", "use https: plain http is for loopback only"},
		"looks like loopback": {"http://127.0.0.1.example.com", "", "use https: plain http is for loopback only"},
		"unspecified":         {"http://0.0.0.0:8025", "", "use https: plain http is for loopback only"},
		"another scheme":      {"ftp://dm.aliyuncs.com", "", "use https"},
		"path":                {"https://dm.aliyuncs.com/api", "", "remove the path"},
		"query":               {"https://dm.aliyuncs.com/?a=b", "", "remove the query and the fragment"},
		"empty query":         {"https://dm.aliyuncs.com?", "", "remove the query and the fragment"},
		"empty fragment":      {"https://dm.aliyuncs.com/#", "", "remove the query and the fragment"},
		"user":                {"https://hunter2@dm.aliyuncs.com", "", "remove the user name and password"},
		"password":            {"https://u:hunter2@dm.aliyuncs.com", "", "remove the user name and password"},
		"broken password":     {"https://u:hun ter2@dm.aliyuncs.com:x", "", "give a host, or a URL such as https://dm-vpc.cn-hangzhou.aliyuncs.com"},
		"empty":               {"", "", "give a valid host, and a valid port if any"},
		"empty port":          {"https://dm.aliyuncs.com:", "", "give a valid host, and a valid port if any"},
		"port 0":              {"https://dm.aliyuncs.com:0", "", "give a valid host, and a valid port if any"},
		"port too high":       {"https://dm.aliyuncs.com:65536", "", "give a valid host, and a valid port if any"},
		"empty label":         {"https://dm..com", "", "give a valid host, and a valid port if any"},
		"long label":          {"https://" + long + ".com", "", "give a valid host, and a valid port if any"},
		"not ASCII":           {"https://邮件.example.com", "", "give a valid host, and a valid port if any"},
		"zone":                {"https://[fe80::1%25eth0]", "", "give a valid host, and a valid port if any"},
		"line break":          {"dm.aliyuncs.com\r\nX: y", "", "give a host, or a URL such as https://dm-vpc.cn-hangzhou.aliyuncs.com"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			u, err := aliyundm.ParseEndpoint(tt.endpoint)
			switch {
			case tt.wantErr != "":
				if err == nil || err.Error() != tt.wantErr {
					t.Errorf("ParseEndpoint = %v, %v; want error %q", u, err, tt.wantErr)
				}
			case err != nil || u.String() != tt.want:
				t.Errorf("ParseEndpoint = %v, %v; want %s", u, err, tt.want)
			}
		})
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{"dm.aliyuncs.com", "http://[::1]:8025/", "https://u:p@h/?q#f", "h:1", "https://[fe80::1%25x]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, endpoint string) {
		u, err := aliyundm.ParseEndpoint(endpoint)
		if err != nil {
			return
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "/" || u.Hostname() == "" {
			t.Errorf("ParseEndpoint(%q) = %#v", endpoint, u)
		}
		again, err := aliyundm.ParseEndpoint(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("ParseEndpoint(%q) = %s, which parses to %v, %v", endpoint, u, again, err)
		}
	})
}

func TestNewClientRefuses(t *testing.T) {
	tests := map[string]struct {
		options aliyundm.Options
		want    string
	}{
		"no id":              {aliyundm.Options{Credentials: aliyundm.Credentials{AccessKeySecret: "hunter2"}}, "access key: id and secret are needed"},
		"no secret":          {aliyundm.Options{Credentials: aliyundm.Credentials{AccessKeyID: "testid"}}, "access key: id and secret are needed"},
		"blank after secret": {aliyundm.Options{Credentials: aliyundm.Credentials{AccessKeyID: "testid", AccessKeySecret: "hunter2\n"}}, "access key: there are blanks around the id, the secret or the security token"},
		"blank before token": {aliyundm.Options{Credentials: aliyundm.Credentials{AccessKeyID: "testid", AccessKeySecret: "hunter2", SecurityToken: " t"}}, "access key: there are blanks around the id, the secret or the security token"},
		"unknown region":     {aliyundm.Options{Credentials: testKey, Region: "cn-shanghai"}, "region: cn-shanghai is not one of Direct Mail's, and no endpoint is given"},
		"no region":          {aliyundm.Options{Credentials: testKey, Region: "hunter2@x", Endpoint: "h"}, "region: must have letters, digits and hyphens only"},
		"bad endpoint":       {aliyundm.Options{Credentials: testKey, Endpoint: "https://u:hunter2@h"}, "endpoint: remove the user name and password"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, err := aliyundm.NewClient(tt.options)
			if client != nil || err == nil || err.Error() != tt.want {
				t.Errorf("NewClient = %v, %v; want error %q", client, err, tt.want)
			}
		})
	}
}

func TestNewClientLeavesTheCallersHTTPClientAlone(t *testing.T) {
	mine := &http.Client{}
	mustClient(t, aliyundm.Options{HTTP: mine})
	if mine.CheckRedirect != nil || mine.Transport != nil {
		t.Error("the caller's http.Client was changed")
	}
}

func TestOneRecipient(t *testing.T) {
	client := mustClient(t, aliyundm.Options{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("the mail was sent")
		return reply(http.StatusOK, receiptJSON), nil
	})}})
	mail := testMail()
	mail.To = "user@example.com,other@example.com"
	receipt, err := client.SingleSendMail(t.Context(), mail)
	e := mustFail(t, receipt, err)
	if e.Class != aliyundm.Recipient || strings.Contains(e.Error(), "@") {
		t.Errorf("error = %v", e)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	options := aliyundm.Options{Credentials: aliyundm.Credentials{
		AccessKeyID: "LTAI5tExampleExample0001", AccessKeySecret: "hunter2", SecurityToken: "CAISexample",
	}}
	client := mustClient(t, options)
	for _, shown := range printAll(t, options.Credentials, &options.Credentials, options, client, *client) {
		for _, secret := range []string{"hunter2", "CAISexample", "Example0001"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q shows %s", shown, secret)
			}
		}
	}
}

func TestCredentialsShowWhichKeyTheyAre(t *testing.T) {
	key := aliyundm.Credentials{AccessKeyID: "LTAI5tExampleExample0001", AccessKeySecret: "hunter2"}
	marshalled, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ got, want string }{
		"String":      {key.String(), "access key LTAI5t***"},
		"GoString":    {key.GoString(), `aliyundm.Credentials{AccessKeyID:"LTAI5t***"}`},
		"LogValue":    {key.LogValue().String(), "LTAI5t***"},
		"MarshalJSON": {string(marshalled), `{"accessKeyId":"LTAI5t***"}`},
		"short id":    {aliyundm.Credentials{AccessKeyID: "abc"}.String(), "access key ***"},
	}
	for name, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s = %s, want %s", name, tt.got, tt.want)
		}
	}
}
