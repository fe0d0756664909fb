package aliyundm_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dmconnector/aliyundm"
)

// answered returns what a call makes of an answer.
func answered(t testing.TB, status int, body string) (*aliyundm.Receipt, error) {
	t.Helper()
	client := mustClient(t, aliyundm.Options{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return reply(status, body), nil
	})}})
	return client.SingleSendMail(t.Context(), testMail())
}

func TestReceipt(t *testing.T) {
	tests := map[string]struct {
		body string
		want *aliyundm.Receipt
	}{
		"JSON":        {`{"EnvId":"600000000000000642","RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`, &aliyundm.Receipt{EnvID: "600000000000000642", RequestID: "2D086F6A-0000-4000-8000-006DED011A85"}},
		"with more":   {` {"RequestId":"2D086F6A-0000-4000-8000-006DED011A85","New":[1],"EnvId":"6"}` + "\n", &aliyundm.Receipt{EnvID: "6", RequestID: "2D086F6A-0000-4000-8000-006DED011A85"}},
		"XML instead": {`<?xml version='1.0' encoding='UTF-8'?><SingleSendMailResponse><RequestId>2D086F6A-0000-4000-8000-006DED011A85</RequestId><EnvId>6</EnvId></SingleSendMailResponse>`, &aliyundm.Receipt{EnvID: "6", RequestID: "2D086F6A-0000-4000-8000-006DED011A85"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			receipt, err := answered(t, http.StatusOK, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, receipt); diff != "" {
				t.Errorf("receipt (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoReceipt(t *testing.T) {
	const foreign = "the answer is not one of Direct Mail's"
	xmlError := `<?xml version="1.0" encoding="UTF-8"?><Error><RequestId>2D086F6A-0000-4000-8000-006DED011A85</RequestId><HostId>dm.aliyuncs.com</HostId>` +
		`<Code>%s</Code><Message>The specified tag does not exist.</Message></Error>`
	tests := map[string]struct {
		status int
		body   string
		want   aliyundm.Error
	}{
		"200, empty":               {200, "", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, HTML":                {200, "<html><body>Welcome</body></html>", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, broken":              {200, `{"EnvId":"6","RequestId":"2D086F6A-0000-4000-8000-006DED011A85"`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, two values":          {200, receiptJSON + receiptJSON, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, no EnvId":            {200, `{"RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`, aliyundm.Error{Class: aliyundm.Unknown, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: foreign}},
		"200, EnvId a number":      {200, `{"EnvId":600000000000000642,"RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`, aliyundm.Error{Class: aliyundm.Unknown, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: foreign}},
		"200, EnvId is null":       {200, `{"EnvId":null,"RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`, aliyundm.Error{Class: aliyundm.Unknown, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: foreign}},
		"200, RequestId a list":    {200, `{"EnvId":"6","RequestId":["2D086F6A-0000-4000-8000-006DED011A85"]}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, no RequestId":        {200, `{"EnvId":"6"}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, an array":            {200, `[` + receiptJSON + `]`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, null":                {200, `null`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"200, an error":            {200, `{"Code":"InvalidToAddress","RequestId":"2D086F6A-0000-4000-8000-006DED011A85"}`, aliyundm.Error{Class: aliyundm.Unknown, Code: "InvalidToAddress", RequestID: "2D086F6A-0000-4000-8000-006DED011A85"}},
		"200, another XML":         {200, `<BatchSendMailResponse><RequestId>2D086F6A-0000-4000-8000-006DED011A85</RequestId><EnvId>6</EnvId></BatchSendMailResponse>`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"202 with a receipt":       {202, receiptJSON, aliyundm.Error{Class: aliyundm.Unknown, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: foreign}},
		"204":                      {204, "", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400 with a receipt":       {400, receiptJSON, aliyundm.Error{Class: aliyundm.Unknown, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: foreign}},
		"400, Code a number":       {400, `{"Code":404,"Message":"x"}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Code an object":      {400, `{"Code":{"a":[1]},"Message":{}}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Code an array":       {400, `{"Code":["InvalidBody"]}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Code null":           {400, `{"Code":null}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Code is a sentence":  {400, `{"Code":"user@example.com is bad"}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Code holds a code":   {400, `{"Code":"Invalid.123456"}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Code is too long":    {400, `{"Code":"` + strings.Repeat("x", 65) + `"}`, aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"400, Message a number":    {400, `{"Code":"InvalidBody","Message":1}`, aliyundm.Error{Class: aliyundm.Content, Code: "InvalidBody"}},
		"400, RequestId untrusted": {400, `{"Code":"InvalidBody","RequestId":"a b\nuser@example.com"}`, aliyundm.Error{Class: aliyundm.Content, Code: "InvalidBody"}},
		"400, RequestId too long":  {400, `{"Code":"InvalidBody","RequestId":"` + strings.Repeat("A", 65) + `"}`, aliyundm.Error{Class: aliyundm.Content, Code: "InvalidBody"}},
		"400, HTML":                {400, "<html><center>400 Bad Request</center></html>", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"403, text":                {403, "forbidden", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"413, HTML":                {413, "<html>413 Request Entity Too Large</html>", aliyundm.Error{Class: aliyundm.Content, Message: foreign}},
		"414, HTML":                {414, "<html>414 Request-URI Too Large</html>", aliyundm.Error{Class: aliyundm.Operator, Message: foreign}},
		"502, HTML":                {502, "<html>502 Bad Gateway</html>", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"503, empty":               {503, "", aliyundm.Error{Class: aliyundm.Unknown, Message: foreign}},
		"404, XML error":           {404, fmt.Sprintf(xmlError, "InvalidTag.NotFound"), aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidTag.NotFound", RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: "The specified tag does not exist."}},
		"500, XML error":           {500, fmt.Sprintf(xmlError, "InternalError"), aliyundm.Error{Class: aliyundm.Unknown, Code: "InternalError", RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: "The specified tag does not exist."}},
		"404, XML, empty code":     {404, fmt.Sprintf(xmlError, ""), aliyundm.Error{Class: aliyundm.Unknown, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: foreign}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			receipt, err := answered(t, tt.status, tt.body)
			e := mustFail(t, receipt, err)
			tt.want.Status = tt.status
			if diff := cmp.Diff(tt.want, *e); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCodes sends every known code through a call: its class, and its message as it stands.
func TestCodes(t *testing.T) {
	for _, row := range readCodes(t) {
		t.Run(fmt.Sprint(row.code, row.status), func(t *testing.T) {
			body, err := json.Marshal(map[string]string{
				"RequestId": "2D086F6A-0000-4000-8000-006DED011A85", "HostId": "dm.aliyuncs.com",
				"Code": row.code, "Message": row.message, "Recommend": "https://api.aliyun.com/troubleshoot?q=" + row.code,
			})
			if err != nil {
				t.Fatal(err)
			}
			receipt, err := answered(t, row.status, string(body))
			e := mustFail(t, receipt, err)
			want := aliyundm.Error{
				Class: row.class, Code: row.code, Status: row.status,
				RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: row.message,
			}
			if diff := cmp.Diff(want, *e); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			throttled := row.status < 500 && (strings.HasPrefix(row.code, "Throttling") || row.code == "InvalidSendSms")
			if e.Throttled() != throttled {
				t.Errorf("Throttled() = %v", e.Throttled())
			}
			if aliyundm.Advice(row.code) == "" {
				t.Error("no advice")
			}
		})
	}
}

type codeRow struct {
	code    string
	status  int
	class   aliyundm.Class
	message string
}

func readCodes(t testing.TB) []codeRow {
	t.Helper()
	file, err := os.Open("testdata/codes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rows []codeRow
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		cells := strings.Split(lines.Text(), "\t")
		status, err := strconv.Atoi(cells[1])
		if err != nil || len(cells) != 4 {
			t.Fatalf("bad line %q", lines.Text())
		}
		rows = append(rows, codeRow{cells[0], status, aliyundm.Class(cells[2]), cells[3]})
	}
	return rows
}

func TestAdvice(t *testing.T) {
	tests := map[string]string{ // a word that the advice must have
		"InvalidMailAddress.NotFound":      "region",
		"InvalidMailAddressDomain.New":     "DNS",
		"InvalidTimeStamp.Expired":         "clock",
		"SignatureDoesNotMatch":            "accessKeySecret",
		"Forbidden.RAM":                    "dm:SingleSendMail",
		"InvalidSecurityToken.Expired":     "securityToken",
		"InvalidQuota":                     "quota",
		"InvalidFromAlias.Malformed":       "fromAlias",
		"InvalidUser.NotFound":             "Activate",
		"InvalidToAddress.Spam":            "bounced",
		"Throttling.Whatever":              "100 a second",
		"InvalidToAddress.Something":       "spelt",
		"SomethingNew":                     "request id",
		"InvalidMailAddressStatus.Blocked": "frozen",
	}
	for code, want := range tests {
		if got := aliyundm.Advice(code); !strings.Contains(got, want) {
			t.Errorf("Advice(%s) = %q, without %q", code, got, want)
		}
	}
	if got := aliyundm.Advice(""); got != "" {
		t.Errorf("Advice for no code = %q", got)
	}
}

func TestErrorText(t *testing.T) {
	tests := map[string]struct {
		err  aliyundm.Error
		want string
	}{
		"refused": {
			aliyundm.Error{Class: aliyundm.Operator, Code: "InvalidTag.NotFound", Status: 404, RequestID: "2D086F6A-0000-4000-8000-006DED011A85", Message: "The specified tag does not exist."},
			"direct mail: operator: InvalidTag.NotFound (HTTP 404, request 2D086F6A-0000-4000-8000-006DED011A85): The specified tag does not exist.",
		},
		"no answer":       {aliyundm.Error{Class: aliyundm.Unknown, Message: "there was no answer in time"}, "direct mail: unknown: there was no answer in time"},
		"nothing to read": {aliyundm.Error{Class: aliyundm.Unknown, Status: 502}, "direct mail: unknown (HTTP 502)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("Error() = %q, want %q", got, tt.want)
			}
		})
	}
}
