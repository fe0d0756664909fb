package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dmconnector/aliyundm/sandbox"
)

type changes = map[string]string

func TestRefusedCalls(t *testing.T) {
	const notAuthorized = "User not authorized to operate on the specified resource, or this API doesn't support RAM."
	long := strings.Repeat
	tests := map[string]struct {
		change  changes
		status  int
		code    string
		message string
	}{
		"format":                  {changes{"Format": "YAML"}, 400, "InvalidParameter.Format", "Specified parameter format is not valid."},
		"no action":               {changes{"Action": ""}, 400, "MissingAction", "Action is mandatory for this action."},
		"another action":          {changes{"Action": "BatchSendMail"}, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."},
		"no version":              {changes{"Version": ""}, 400, "MissingVersion", "Version is mandatory for this action."},
		"another version":         {changes{"Version": "2017-06-22"}, 400, "InvalidVersion", "Specified parameter Version is not valid."},
		"no key":                  {changes{"AccessKeyId": " "}, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action."},
		"no timestamp":            {changes{"Timestamp": " "}, 400, "MissingTimestamp", "Timestamp is mandatory for this action."},
		"no nonce":                {changes{"SignatureNonce": " "}, 400, "MissingSignatureNonce", "SignatureNonce is mandatory for this action."},
		"no method":               {changes{"SignatureMethod": " "}, 400, "MissingSignatureMethod", "SignatureMethod is mandatory for this action."},
		"no signature version":    {changes{"SignatureVersion": " "}, 400, "MissingSignatureVersion", "SignatureVersion is mandatory for this action."},
		"another method":          {changes{"SignatureMethod": "HMAC-SHA256"}, 400, "InvalidSignatureMethod", "Specified signature method is not valid."},
		"another revision":        {changes{"SignatureVersion": "2.0"}, 400, "InvalidSignatureVersion", "Specified parameter SignatureVersion is not valid."},
		"timestamp with fraction": {changes{"Timestamp": "2026-01-02T03:04:05.123Z"}, 400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."},
		"timestamp with offset":   {changes{"Timestamp": "2026-01-02T03:04:05+00:00"}, 400, "InvalidTimeStamp.Format", ""},
		"old timestamp":           {changes{"Timestamp": "2016-10-20T06:27:56Z"}, 400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."},
		"unknown key":             {changes{"AccessKeyId": "other"}, 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."},
		"token without STS key":   {changes{"SecurityToken": "x"}, 400, "InvalidSecurityToken.MismatchWithAccessKey", ""},
		"STS key without token":   {changes{"AccessKeyId": "sts"}, 400, "MissingSecurityToken", "SecurityToken is mandatory for this action."},
		"another token":           {changes{"AccessKeyId": "sts", "SecurityToken": "x"}, 400, "InvalidSecurityToken.MismatchWithAccessKey", ""},
		"RAM":                     {changes{"AccessKeyId": "denied"}, 403, "Forbidden.RAM", notAuthorized},
		"no sender":               {changes{"AccountName": ""}, 400, "MissingAccountName", "AccountName is mandatory for this action."},
		"no address type":         {changes{"AddressType": ""}, 400, "MissingAddressType", "AddressType is mandatory for this action."},
		"no reply flag":           {changes{"ReplyToAddress": ""}, 400, "MissingReplyToAddress", "ReplyToAddress is mandatory for this action."},
		"no recipient":            {changes{"ToAddress": ""}, 400, "MissingToAddress", "ToAddress is mandatory for this action."},
		"empty recipient":         {changes{"ToAddress": " "}, 400, "MissingToAddress", ""},
		"no subject":              {changes{"Subject": ""}, 400, "MissingSubject", "Subject is mandatory for this action."},
		"address type 2":          {changes{"AddressType": "2"}, 400, "InvalidAddressType", "Specified parameter AddressType is not valid."},
		"reply flag 1":            {changes{"ReplyToAddress": "1"}, 400, "InvalidReplyToAddress", "Specified parameter ReplyToAddress is not valid."},
		"unknown sender":          {changes{"AccountName": "other@mail.example.com"}, 404, "InvalidMailAddress.NotFound", "The specified mail address is not found."},
		"alias of 16":             {changes{"FromAlias": long("红", 16)}, 400, "InvalidFromAlias.Malformed", "The specified fromAlias is invalid. The length must not exceed 15 characters."},
		"subject of 257":          {changes{"Subject": long("信", 257)}, 400, "InvalidSubject.Malformed", "The specified subject is invalid. It must not exceed 100 characters."},
		"reply address":           {changes{"ReplyAddress": "help"}, 400, "InvalidReplyAddress.Malformed", ""},
		"reply alias of 16":       {changes{"ReplyAddressAlias": long("a", 16)}, 400, "InvalidReplyAddressAlias.Malformed", ""},
		"tag with a dot":          {changes{"TagName": "a.b"}, 404, "InvalidTagName.Malformed", "The specified tag name is invalid."},
		"tag of 129":              {changes{"TagName": long("a", 129)}, 404, "InvalidTagName.Malformed", ""},
		"recipient without at":    {changes{"ToAddress": "user"}, 400, "InvalidToAddress", "The specified toAddress is invalid. It must contain the @ sign. The domain must consist of numbers, letters, underscores, minus signs, and periods. The account name must consist of numbers, letters, underscores, minus signs, and periods."},
		"recipient with a name":   {changes{"ToAddress": "User <user@example.com>"}, 400, "InvalidToAddress", ""},
		"recipient without name":  {changes{"ToAddress": "@example.com"}, 400, "InvalidToAddress", ""},
		"recipient's domain":      {changes{"ToAddress": "user@"}, 400, "InvalidToAddress", ""},
		"recipient with two ats":  {changes{"ToAddress": "user@example@com"}, 400, "InvalidToAddress", ""},
		"recipient in Chinese":    {changes{"ToAddress": "用户@example.com"}, 400, "InvalidToAddress", ""},
		"plus in the domain":      {changes{"ToAddress": "user@exa+mple.com"}, 400, "InvalidToAddress", ""},
		"a bad recipient of two":  {changes{"ToAddress": "user@example.com, other@example.com"}, 400, "InvalidToAddress", ""},
		"comma at the end":        {changes{"ToAddress": "user@example.com,"}, 400, "InvalidToAddress", ""},
		"recipient of 193":        {changes{"ToAddress": long("a", 181) + "@example.com"}, 400, "EmailLengthError", "The maximum length of Email is 192 characters."},
		"101 recipients":          {changes{"ToAddress": long("a@example.com,", 100) + "a@example.com"}, 400, "InvalidToAddress", ""},
		"no body":                 {changes{"HtmlBody": ""}, 400, "InvalidBody", "The format of the specified textBody or htmlBody is invalid."},
	}
	sts, denied := testAccount, testAccount
	sts.AccessKeyID, sts.SecurityToken = "sts", "token"
	denied.AccessKeyID, denied.Denied = "denied", true
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{testAccount, sts, denied}})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, s, rpcPOST(with(mailTo("user@example.com"), tt.change)))
			if a.Status != tt.status || a.Code != tt.code {
				t.Errorf("%d %s, want %d %s", a.Status, a.Code, tt.status, tt.code)
			}
			if a.Message == "" || tt.message != "" && a.Message != tt.message {
				t.Errorf("message %q, want %q", a.Message, tt.message)
			}
		})
	}
	if n := len(s.Mails()); n != 0 {
		t.Errorf("%d mails accepted", n)
	}
}

// A key that was copied badly is not Aliyun's, even if the sandbox was given it.
func TestKeysThatCannotBe(t *testing.T) {
	tests := map[string]struct {
		id, secret, code string
	}{
		"good":                          {"id", "secret", ""},
		"a temporary key without token": {"STS.id", "secret", "MissingSecurityToken"},
		"a blank in the id":             {"i d", "secret", "InvalidAccessKeyId.NotFound"},
		"a mark before the id":          {"\ufeffid", "secret", "InvalidAccessKeyId.NotFound"},
		"a quoted id":                   {`"id"`, "secret", "InvalidAccessKeyId.NotFound"},
		"a line end after the secret":   {"id", "secret\n", "SignatureDoesNotMatch"},
		"a full-width secret":           {"id", "ｓecret", "SignatureDoesNotMatch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			account := sandbox.Account{AccessKeyID: tt.id, AccessKeySecret: tt.secret}
			s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{account}})
			p := with(mailTo("user@example.com"), changes{"AccessKeyId": tt.id})
			r := httptest.NewRequest("GET", "/?"+signRPC("GET", p, tt.secret).Encode(), nil)
			if a := do(t, s, r); a.Code != tt.code {
				t.Errorf("code %q, want %q", a.Code, tt.code)
			}
		})
	}
}

func TestAcceptedAtTheLimits(t *testing.T) {
	long := strings.Repeat
	tests := map[string]changes{
		"alias of 15":        {"FromAlias": long("红", 15)},
		"subject of 256":     {"Subject": long("信", 256)},
		"tag of 128":         {"TagName": long("a", 126) + "_-"},
		"100 recipients":     {"ToAddress": long("a@example.com,", 99) + "a@example.com"},
		"recipient of 192":   {"ToAddress": long("a", 180) + "@example.com"},
		"plus and friends":   {"ToAddress": "a-b_c.d+e@mail-1.example.com"},
		"text alone":         {"HtmlBody": "", "TextBody": "1234"},
		"template alone":     {"HtmlBody": "", "Template": `{"TemplateId":"1"}`},
		"flags as Python":    {"ReplyToAddress": "True", "AddressType": "0"},
		"empty parameters":   {"SignatureType": " ", "SecurityToken": " ", "TagName": " "},
		"unknown parameters": {"Whatever": "1", "a b": "ü"},
		"no region":          {"RegionId": ""},
		"a mail of 1 MB":     {"HtmlBody": long("x", 1<<20)},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(sandbox.Options{})
			wantAccepted(t, do(t, s, rpcPOST(with(mailTo("user@example.com"), change))))
		})
	}
}

func TestRefusedACS3Calls(t *testing.T) {
	good := mailTo("user@example.com")
	header := func(name, value string) *http.Request { // changed after signing
		r := acs3("POST", good, nil)
		r.Header.Set(name, value)
		return r
	}
	authorization := func(from, to string) *http.Request {
		r := acs3("POST", good, nil)
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		return r
	}
	tests := map[string]struct {
		request *http.Request
		status  int
		code    string
	}{
		"no action":             {acs3("POST", good, changes{"x-acs-action": ""}), 400, "MissingAction"},
		"no version":            {acs3("POST", good, changes{"x-acs-version": ""}), 400, "MissingVersion"},
		"no date":               {acs3("POST", good, changes{"x-acs-date": ""}), 400, "MissingTimestamp"},
		"no nonce":              {acs3("POST", good, changes{"x-acs-signature-nonce": ""}), 400, "MissingSignatureNonce"},
		"bad date":              {acs3("POST", good, changes{"x-acs-date": "now"}), 400, "InvalidTimeStamp.Format"},
		"no authorization":      {header("Authorization", ""), 400, "IncompleteSignature"},
		"no credential":         {authorization("Credential", "Credentials"), 400, "IncompleteSignature"},
		"another algorithm":     {authorization("SHA256", "SM3"), 400, "InvalidSignatureMethod"},
		"unknown key":           {authorization(keyID, "other"), 404, "InvalidAccessKeyId.NotFound"},
		"another signature":     {authorization("Signature=", "Signature=0"), 400, "SignatureDoesNotMatch"},
		"host not signed":       {acs3("POST", good, changes{"host": ""}), 400, "IncompleteSignature"},
		"hash not signed":       {acs3("POST", good, changes{"x-acs-content-sha256": ""}), 400, "IncompleteSignature"},
		"header added":          {header("X-Acs-Security-Token", "x"), 400, "IncompleteSignature"},
		"header changed":        {header("X-Acs-Date", time.Now().UTC().Add(time.Minute).Format(stamp)), 400, "SignatureDoesNotMatch"},
		"hash of another body":  {acs3("POST", good, changes{"x-acs-content-sha256": strings.Repeat("0", 64)}), 400, "SignatureDoesNotMatch"},
		"hash changed":          {header("X-Acs-Content-Sha256", strings.Repeat("0", 64)), 400, "SignatureDoesNotMatch"},
		"token without STS key": {acs3("POST", good, changes{"x-acs-security-token": "x"}), 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		"form without its type": {acs3("POST", good, changes{"content-type": "text/plain"}), 400, "MissingAccountName"},
	}
	s := newSandbox(sandbox.Options{})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, s, tt.request)
			if a.Status != tt.status || a.Code != tt.code {
				t.Errorf("%d %s %s, want %d %s", a.Status, a.Code, a.Message, tt.status, tt.code)
			}
		})
	}
	if n := len(s.Mails()); n != 0 {
		t.Errorf("%d mails accepted", n)
	}
}

// The real service echoes what it signed; it is how people find their mistake.
func TestSignatureMismatchEchoesTheStringToSign(t *testing.T) {
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{{AccessKeyID: keyID, AccessKeySecret: "another"}}})
	tests := map[string]struct {
		request      *http.Request
		prefix, part string
	}{
		"1.0": {
			rpcPOST(mailTo("user@example.com")),
			"Specified signature is not matched with our calculation. server string to sign is:POST&%2F&AccessKeyId%3Dtestid%26",
			"Subject%3DYour%2520code%2520is%2520123456",
		},
		"ACS3": {
			acs3("POST", mailTo("user@example.com"), nil),
			"Specified signature does not match our calculation. server StringToSign is [ACS3-HMAC-SHA256\n",
			"]server CanonicalRequest is [POST\n/\n\ncontent-type:application/x-www-form-urlencoded\nhost:dm.aliyuncs.com\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, s, tt.request)
			if a.Status != 400 || a.Code != "SignatureDoesNotMatch" || !strings.HasPrefix(a.Message, tt.prefix) || !strings.Contains(a.Message, tt.part) {
				t.Errorf("%d %s %s", a.Status, a.Code, a.Message)
			}
		})
	}
}

func TestRequestsThatAreNoCalls(t *testing.T) {
	big := func(method, target, body string) *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	tests := map[string]struct {
		request *http.Request
		status  int
		body    string
	}{
		"URL over 80 KB":  {big("GET", "/?HtmlBody="+strings.Repeat("x", 80<<10), ""), 414, "<h1>414 Request-URI Too Large</h1>"},
		"body over 8 MB":  {big("POST", "/", "HtmlBody="+strings.Repeat("x", 8<<20)), 413, "<h1>413 Request Entity Too Large</h1>"},
		"another method":  {big("PATCH", "/", ""), 400, "<Code>UnsupportedHTTPMethod</Code>"},
		"another path":    {big("POST", "/v1/mail", ""), 404, "<Code>InvalidAction.NotFound</Code>"},
		"nothing at all":  {big("GET", "/", ""), 400, "<Code>MissingAction</Code>"},
		"form in a GET":   {big("GET", "/", "Action=SingleSendMail"), 400, "<Code>MissingAction</Code>"},
		"an unclean path": {big("GET", "//", ""), 404, "<Code>InvalidAction.NotFound</Code>"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := do(t, newSandbox(sandbox.Options{}), tt.request)
			if a.Status != tt.status || !strings.Contains(a.Body, tt.body) {
				t.Errorf("%d %s, want %d with %s", a.Status, a.Body, tt.status, tt.body)
			}
		})
	}
}

func TestURLJustBelow80KB(t *testing.T) {
	p := with(mailTo("user@example.com"), changes{"HtmlBody": strings.Repeat("x", 79<<10)})
	wantAccepted(t, do(t, newSandbox(sandbox.Options{}), httptest.NewRequest("GET", "/?"+signRPC("GET", p, secret).Encode(), nil)))
}

// The order decides which of two mistakes a caller is told of.
func TestOrderOfChecks(t *testing.T) {
	mistakes := []struct {
		change changes
		code   string
	}{
		{changes{"Format": "YAML"}, "InvalidParameter.Format"},
		{changes{"Action": ""}, "MissingAction"},
		{changes{"Version": ""}, "MissingVersion"},
		{changes{"SignatureNonce": " "}, "MissingSignatureNonce"},
		{changes{"SignatureMethod": "x"}, "InvalidSignatureMethod"},
		{changes{"Timestamp": "x"}, "InvalidTimeStamp.Format"},
		{changes{"AccessKeyId": "other"}, "InvalidAccessKeyId.NotFound"},
		{changes{"Subject": ""}, "MissingSubject"},
		{changes{"AddressType": "7"}, "InvalidAddressType"},
		{changes{"AccountName": "x@y"}, "InvalidMailAddress.NotFound"},
		{changes{"FromAlias": strings.Repeat("x", 16)}, "InvalidFromAlias.Malformed"},
		{changes{"TagName": "!"}, "InvalidTagName.Malformed"},
		{changes{"ToAddress": "x"}, "InvalidToAddress"},
		{changes{"HtmlBody": ""}, "InvalidBody"},
	}
	s := newSandbox(sandbox.Options{})
	p := mailTo("user@example.com")
	for i, m := range slices.Backward(mistakes) {
		p = with(p, m.change)
		if a := do(t, s, rpcPOST(p)); a.Code != m.code {
			t.Errorf("mistakes from %d on: %s, want %s", i, a.Code, m.code)
		}
	}
}

func TestClockMayBe15MinutesOff(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newSandbox(sandbox.Options{Now: func() time.Time { return now }})
	tests := map[time.Duration]string{
		-15 * time.Minute:             "",
		-15*time.Minute - time.Second: "InvalidTimeStamp.Expired",
		15 * time.Minute:              "",
		15*time.Minute + time.Second:  "InvalidTimeStamp.Expired",
	}
	for off, want := range tests {
		p := with(mailTo("user@example.com"), changes{"Timestamp": now.Add(off).Format(stamp)})
		if a := do(t, s, rpcPOST(p)); a.Code != want {
			t.Errorf("%v off: code %q, want %q", off, a.Code, want)
		}
	}
}

func TestNonces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := testAccount
		other.AccessKeyID = "other"
		s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{testAccount, other}})
		call := func(change changes) string {
			return do(t, s, rpcPOST(with(mailTo("user@example.com"), change))).Code
		}
		// A forged call with the nonce comes first and must not use it up.
		forged := signRPC("GET", with(mailTo("user@example.com"), changes{"SignatureNonce": "1"}), "wrong")
		if a := do(t, s, httptest.NewRequest("GET", "/?"+forged.Encode(), nil)); a.Code != "SignatureDoesNotMatch" {
			t.Fatalf("forged call: %s", a.Code)
		}
		steps := []struct {
			after time.Duration
			keyID string
			want  string
		}{
			{0, keyID, ""},
			{0, keyID, "SignatureNonceUsed"},
			{0, "other", ""},
			{31*time.Minute - 1, keyID, "SignatureNonceUsed"},
			{1, keyID, ""},
			{0, keyID, "SignatureNonceUsed"},
		}
		for i, step := range steps {
			time.Sleep(step.after) //nolint:forbidigo // a synctest bubble's clock
			if got := call(changes{"SignatureNonce": "1", "AccessKeyId": step.keyID}); got != step.want {
				t.Errorf("step %d: code %q, want %q", i, got, step.want)
			}
		}
	})
}

func TestRate(t *testing.T) {
	tests := map[string]struct {
		rate    int
		offsets []time.Duration // of the calls
		want    string          // a for accepted, t for throttled
	}{
		"two a second": {2, []time.Duration{0, 400, 999, 1000, 1001, 1399, 1400, 2399, 2400}, "aatattaaa"},
		"no limit":     {-1, []time.Duration{0, 0, 0, 0}, "aaaa"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			now := start
			s := newSandbox(sandbox.Options{RatePerSecond: tt.rate, Now: func() time.Time { return now }})
			var got string
			for _, offset := range tt.offsets {
				now = start.Add(offset * time.Millisecond)
				a := do(t, s, rpcPOST(with(mailTo("user@example.com"), changes{"Timestamp": start.Format(stamp)})))
				switch a.Code {
				case "":
					got += "a"
				case "Throttling.User":
					got += "t"
				default:
					t.Fatalf("code %s", a.Code)
				}
			}
			if got != tt.want {
				t.Errorf("calls %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRateIs100ByDefaultAndPerAccount(t *testing.T) {
	now := time.Now()
	other := testAccount
	other.AccessKeyID = "other"
	s := newSandbox(sandbox.Options{Accounts: []sandbox.Account{testAccount, other}, Now: func() time.Time { return now }})
	for i := range 101 {
		a := do(t, s, rpcPOST(mailTo("user@example.com")))
		if throttled := a.Code == "Throttling.User" && a.Status == 400; throttled != (i == 100) {
			t.Fatalf("call %d: %d %s", i, a.Status, a.Code)
		}
	}
	wantAccepted(t, do(t, s, rpcPOST(with(mailTo("user@example.com"), changes{"AccessKeyId": "other"}))))
}

func TestDailyQuota(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 59, 0, 0, time.UTC) // 23:59 in China
	s := newSandbox(sandbox.Options{DailyQuota: 3, Now: func() time.Time { return now }})
	steps := []struct {
		after time.Duration
		to    string
		want  string
	}{
		{0, "a@example.com,b@example.com", ""},
		{0, "a@example.com,b@example.com", "InvalidQuota"}, // recipients count, and a refused call takes none
		{0, "a@example.com", ""},
		{0, "a@example.com", "InvalidQuota"},
		{time.Minute, "a@example.com", ""},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		a := do(t, s, rpcPOST(with(mailTo(step.to), changes{"Timestamp": now.Format(stamp)})))
		if a.Code != step.want {
			t.Errorf("step %d: code %q, want %q", i, a.Code, step.want)
		}
	}
	call := func() string {
		return do(t, s, rpcPOST(with(mailTo("a@example.com,b@example.com,c@example.com"), changes{"Timestamp": now.Format(stamp)}))).Code
	}
	s.SetAccounts([]sandbox.Account{testAccount})
	if got := call(); got != "InvalidQuota" {
		t.Errorf("replacing the account by itself: code %q", got)
	}
	s.SetAccounts(nil)
	s.SetAccounts([]sandbox.Account{testAccount})
	if got := call(); got != "" {
		t.Errorf("an account that was gone in between: code %q", got)
	}
}
