package sandbox

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// queries are the calls that only ask, with what answers them.
var queries = map[string]struct {
	answer     func(*Sandbox, *call) any
	keyword    int    // how long a KeyWord may be; 0 if there is none
	characters string // what it may have but letters and digits
}{
	"DescAccountSummary":      {answer: (*Sandbox).describeAccount},
	"QueryMailAddressByParam": {(*Sandbox).listSenders, 60, ".-@"},
	"QueryDomainByParam":      {(*Sandbox).listDomains, 50, ".-"},
}

const maxPage = 100

func checkQuery(c *call) *refusal {
	for _, name := range []string{"PageNo", "PageSize"} {
		if v := c.params[name]; v != "" && positive(v, 0) == 0 {
			return invalid(name)
		}
	}
	q, keyword := queries[c.sign.action], c.params["KeyWord"]
	if q.keyword > 0 && (len(keyword) > q.keyword || !consistsOf(keyword, q.characters)) {
		return invalid("KeyWord")
	}
	return nil
}

// positive is the number in s, or fallback if it is not one from 1 on.
func positive(s string, fallback int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return fallback
	}
	return n
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

func (s *Sandbox) describeAccount(c *call) any {
	daily := s.quota
	if daily <= 0 {
		daily = 2000 // a new account's
	}
	senders := c.account.in(c.params["RegionId"])
	return summary{
		RequestID: c.id, UserStatus: c.account.Status, QuotaLevel: 2, MaxQuotaLevel: 10,
		DailyQuota: daily, MonthQuota: daily * 30, RemainFreeQuota: 2000, DailyRemainFreeQuota: 200,
		Domains: len(domainsOf(senders)), MailAddresses: len(senders),
	}
}

// A list is the answer to both queries for lists: a page of senders, or of domains.
type list struct {
	XMLName    xml.Name `json:"-"`
	RequestID  string   `json:"RequestId" xml:"RequestId"`
	TotalCount int
	PageNumber int
	PageSize   int
	Data       struct {
		Senders []senderEntry `json:"mailAddress,omitzero" xml:"mailAddress"`
		Domains []domainEntry `json:"domain,omitzero" xml:"domain"`
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
	answer, found := c.list(found)
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

func (s *Sandbox) listDomains(c *call) any {
	found := domainsOf(c.account.in(c.params["RegionId"]))
	if len(c.account.senders) == 0 && c.params["KeyWord"] != "" {
		found = []string{strings.ToLower(c.params["KeyWord"])}
	}
	if status := c.params["Status"]; status != "" {
		found = slices.DeleteFunc(found, func(name string) bool { return flag(!c.account.verified(name)) != status })
	}
	answer, found := c.list(found)
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

// list begins the answer about those names that have the keyword, and cuts the page
// that is asked for out of them.
func (c *call) list(names []string) (list, []string) {
	keyword := strings.ToLower(c.params["KeyWord"])
	found := slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, keyword) })
	number, size := positive(c.params["PageNo"], 1), min(positive(c.params["PageSize"], 10), maxPage)
	start := min(min(number-1, len(found))*size, len(found)) // the number may be any
	return list{
		XMLName: xml.Name{Local: c.sign.action + "Response"}, RequestID: c.id,
		TotalCount: len(found), PageNumber: number, PageSize: size,
	}, found[start:min(start+size, len(found))]
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
