package sandbox

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// queries are the calls that only ask, with what answers them.
var queries = map[string]func(*Sandbox, *call) any{
	"DescAccountSummary":      (*Sandbox).describeAccount,
	"QueryMailAddressByParam": (*Sandbox).listSenders,
	"QueryDomainByParam":      (*Sandbox).listDomains,
}

// Lengths of a keyword, by the action that takes it, and of a page.
const (
	maxSenderKeyword = 60
	maxDomainKeyword = 50
	maxPage          = 100
)

func checkQuery(c *call) *refusal {
	for _, name := range []string{"PageNo", "PageSize"} {
		if v := c.params[name]; v != "" && positive(v) == 0 {
			return invalid(name)
		}
	}
	keyword := c.params["KeyWord"]
	switch c.sign.action {
	case "QueryMailAddressByParam":
		if len(keyword) > maxSenderKeyword || !consistsOf(keyword, ".-@") {
			return invalid("KeyWord")
		}
	case "QueryDomainByParam":
		if len(keyword) > maxDomainKeyword || !consistsOf(keyword, ".-") {
			return invalid("KeyWord")
		}
	}
	return nil
}

// positive is the number in s, or 0 if it is not one from 1 on.
func positive(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// answerQuery answers a call that only asks, or injects a fault.
func (s *Sandbox) answerQuery(w http.ResponseWriter, r *http.Request, c *call) {
	f := s.faults.take(c.sign.action, nil)
	switch {
	case f == nil:
	case f.Kind == "delay", f.Kind == "hang":
		s.hold(w, r, f)
	default:
		s.inject(w, r, c, f, receipt{RequestID: c.id})
		return
	}
	s.log.InfoContext(r.Context(), "query answered", "action", c.sign.action, "request_id", c.id)
	contentType, body := c.encode(queries[c.sign.action](s, c))
	send(w, http.StatusOK, contentType, body)
}

// summary is the answer to DescAccountSummary. What its documents call deprecated
// is left out.
type summary struct {
	XMLName              xml.Name `json:"-" xml:"DescAccountSummaryResponse"`
	RequestID            string   `json:"RequestId" xml:"RequestId"`
	UserStatus           int
	QuotaLevel           int
	MaxQuotaLevel        int
	DailyQuota           int
	MonthQuota           int
	RemainFreeQuota      int
	DailyRemainFreeQuota int
	Domains              int
	MailAddresses        int
	Tags                 int
	Templates            int
	EnableTimes          int
}

// A new account's quotas, where the sandbox has none.
const (
	newDailyQuota = 2000
	daysOfMonth   = 30
	freeQuota     = 2000
	dailyFree     = 200
)

func (s *Sandbox) describeAccount(c *call) any {
	daily := s.quotas.quota
	if daily <= 0 {
		daily = newDailyQuota
	}
	senders := c.account.in(c.params["RegionId"])
	return summary{
		RequestID: c.id, UserStatus: c.account.Status, QuotaLevel: 2, MaxQuotaLevel: 10,
		DailyQuota: daily, MonthQuota: daily * daysOfMonth, RemainFreeQuota: freeQuota, DailyRemainFreeQuota: dailyFree,
		Domains: len(domainsOf(senders)), MailAddresses: len(senders),
	}
}

// page is what the answers to both lists begin with.
type page struct {
	RequestID  string `json:"RequestId" xml:"RequestId"`
	TotalCount int
	PageNumber int
	PageSize   int
}

type senderList struct {
	XMLName xml.Name `json:"-" xml:"QueryMailAddressByParamResponse"`
	page
	Data struct {
		Senders []senderEntry `json:"mailAddress" xml:"mailAddress"`
	} `json:"data" xml:"data"`
}

// senderEntry has numbers as strings, as the metadata has them; an example in the
// documents has them bare.
type senderEntry struct {
	MailAddressID string `json:"MailAddressId" xml:"MailAddressId"`
	AccountName   string
	Sendtype      string
	AccountStatus string
	DomainStatus  string
	ReplyAddress  string
	ReplyStatus   string
	CreateTime    string
	DailyCount    string
	DailyReqCount string
	MonthCount    string
	MonthReqCount string
}

// madeAt is when everything was made that the sandbox has.
const madeAt = "2026-01-02T03:04Z"

func (s *Sandbox) listSenders(c *call) any {
	found := c.account.in(c.params["RegionId"])
	// An account of any sender has the very one that is asked for.
	if len(c.account.senders) == 0 && isAddress(c.params["KeyWord"]) {
		found = []string{strings.ToLower(c.params["KeyWord"])}
	}
	if kind := c.params["Sendtype"]; kind != "" && kind != "trigger" {
		found = nil
	}
	answer := senderList{}
	answer.page, found = c.page(found)
	answer.Data.Senders = []senderEntry{}
	for i, address := range found {
		answer.Data.Senders = append(answer.Data.Senders, senderEntry{
			MailAddressID: strconv.Itoa(i + 1), AccountName: address, Sendtype: "trigger",
			AccountStatus: flag(c.account.froze(address)), DomainStatus: flag(!c.account.verified(address)), ReplyStatus: "0",
			CreateTime: madeAt, DailyCount: "-1", DailyReqCount: "0", MonthCount: "-1", MonthReqCount: "0",
		})
	}
	return answer
}

type domainList struct {
	XMLName xml.Name `json:"-" xml:"QueryDomainByParamResponse"`
	page
	Data struct {
		Domains []domainEntry `json:"domain" xml:"domain"`
	} `json:"data" xml:"data"`
}

type domainEntry struct {
	DomainID        string `json:"DomainId" xml:"DomainId"`
	DomainName      string
	DomainStatus    string
	ConfirmStatus   string
	SpfAuthStatus   string
	MxAuthStatus    string
	CnameAuthStatus string
	IcpStatus       string
	CreateTime      string
}

func (s *Sandbox) listDomains(c *call) any {
	found := domainsOf(c.account.in(c.params["RegionId"]))
	if len(c.account.senders) == 0 && c.params["KeyWord"] != "" {
		found = []string{strings.ToLower(c.params["KeyWord"])}
	}
	if status := c.params["Status"]; status != "" {
		found = slices.DeleteFunc(found, func(name string) bool { return flag(!c.account.verified(name)) != status })
	}
	answer := domainList{}
	answer.page, found = c.page(found)
	answer.Data.Domains = []domainEntry{}
	for i, name := range found {
		bad := flag(!c.account.verified(name))
		answer.Data.Domains = append(answer.Data.Domains, domainEntry{
			DomainID: strconv.Itoa(i + 1), DomainName: name, DomainStatus: bad,
			ConfirmStatus: "0", SpfAuthStatus: bad, MxAuthStatus: bad, CnameAuthStatus: "0", IcpStatus: "1", CreateTime: madeAt,
		})
	}
	return answer
}

// page cuts the page that is asked for out of those names that have the keyword.
func (c *call) page(names []string) (page, []string) {
	keyword := strings.ToLower(c.params["KeyWord"])
	found := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.Contains(name, keyword) })
	number, size := positive(c.params["PageNo"]), positive(c.params["PageSize"])
	if number == 0 {
		number = 1
	}
	if size == 0 {
		size = 10
	}
	size = min(size, maxPage)
	p := page{RequestID: c.id, TotalCount: len(found), PageNumber: number, PageSize: size}
	if number > len(found)/size+1 {
		return p, nil
	}
	start := (number - 1) * size
	return p, found[min(start, len(found)):min(start+size, len(found))]
}

func domainsOf(senders []string) []string {
	var names []string
	for _, address := range senders {
		_, name, _ := strings.Cut(address, "@")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// flag is how Direct Mail writes that something is wrong.
func flag(wrong bool) string {
	if wrong {
		return "1"
	}
	return "0"
}
