package aliyundm

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// An AccountStatus says what is wrong with an account, a bit each.
type AccountStatus int

// What stops an account's mail.
const (
	AccountFrozen     AccountStatus = 1
	AccountOverdue    AccountStatus = 2
	AccountRestricted AccountStatus = 4
	AccountDeleted    AccountStatus = 8
)

// An AccountSummary is what DescAccountSummary tells of the account in a region.
// A number that the answer lacks is -1.
type AccountSummary struct {
	Status        AccountStatus
	DailyQuota    int // mails a day
	MonthQuota    int
	QuotaLevel    int // the reputation, which the quota follows
	MaxQuotaLevel int
	FreeQuota     int // what remains of the free mails
}

// A MailAddress is a sender address as QueryMailAddressByParam tells it.
type MailAddress struct {
	AccountName    string
	SendType       string // "trigger" or "batch"
	Frozen         bool
	DomainInvalid  bool
	ReplyAddress   string // as set in the console; not that of the mails
	ReplyUnchecked bool   // ReplyAddress is not verified
}

// A Domain is a sender domain as QueryDomainByParam tells it.
type Domain struct {
	Name     string
	Sendable bool // it is verified
	SPFOK    bool
	MXOK     bool
}

// DescAccountSummary returns the account's status and quotas in the region. It
// needs the permission dm:DescAccountSummary; Direct Mail takes ten such calls a
// minute. The error is an [*Error], as it is for all calls that only ask.
func (c *Client) DescAccountSummary(ctx context.Context) (*AccountSummary, error) {
	var a struct {
		UserStatus      number `json:"UserStatus"`
		DailyQuota      number `json:"DailyQuota"`
		MonthQuota      number `json:"MonthQuota"`
		QuotaLevel      number `json:"QuotaLevel"`
		MaxQuotaLevel   number `json:"MaxQuotaLevel"`
		RemainFreeQuota number `json:"RemainFreeQuota"`
	}
	got, err := c.query(ctx, "DescAccountSummary", nil)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(got.body, &a) != nil || a.UserStatus.or(-1) < 0 {
		return nil, foreign(got)
	}
	return &AccountSummary{
		Status: AccountStatus(a.UserStatus.or(0)), DailyQuota: a.DailyQuota.or(-1), MonthQuota: a.MonthQuota.or(-1),
		QuotaLevel: a.QuotaLevel.or(-1), MaxQuotaLevel: a.MaxQuotaLevel.or(-1),
		FreeQuota: a.RemainFreeQuota.or(-1),
	}, nil
}

// FindMailAddress returns the sender address of that name, whatever its case, or
// nil if the region has none. It needs the permission dm:QueryMailAddressByParam.
func (c *Client) FindMailAddress(ctx context.Context, name string) (*MailAddress, error) {
	var found *MailAddress
	err := c.search(ctx, "QueryMailAddressByParam", addressKeyword(name), func(page lists) bool {
		for _, m := range page.Senders {
			if strings.EqualFold(m.AccountName, name) {
				found = &MailAddress{
					AccountName: m.AccountName, SendType: m.Sendtype, ReplyAddress: m.ReplyAddress,
					Frozen: m.AccountStatus.or(0) != 0, DomainInvalid: m.DomainStatus.or(0) == 1, ReplyUnchecked: m.ReplyStatus.or(0) != 0,
				}
			}
		}
		return found != nil
	})
	return found, err
}

// FindDomain returns the sender domain of that name, whatever its case, or nil if
// the region has none. It needs the permission dm:QueryDomainByParam.
func (c *Client) FindDomain(ctx context.Context, name string) (*Domain, error) {
	var found *Domain
	err := c.search(ctx, "QueryDomainByParam", last(name, maxDomainKeyword), func(page lists) bool {
		for _, d := range page.Domains {
			if strings.EqualFold(d.DomainName, name) {
				found = &Domain{
					// 2 to 4 lack a record or the filing, and send all the same.
					Name: d.DomainName, Sendable: d.DomainStatus.or(1) != 1,
					SPFOK: d.SpfAuthStatus.or(1) == 0, MXOK: d.MxAuthStatus.or(1) == 0,
				}
			}
		}
		return found != nil
	})
	return found, err
}

const (
	queryPage  = 50 // entries a page; an account has some ten
	queryPages = 20

	maxAddressKeyword = 60
	maxDomainKeyword  = 50
)

var keywordPattern = regexp.MustCompile(`^[A-Za-z0-9.@-]{1,60}$`)

// addressKeyword is what to search for: the address, or only its domain if a search
// may not have the whole.
func addressKeyword(address string) string {
	if !keywordPattern.MatchString(address) {
		_, address, _ = strings.Cut(address, "@")
	}
	return last(address, maxAddressKeyword)
}

func last(s string, length int) string { return s[max(0, len(s)-length):] }

// lists are the lists that answers have a page of, each of them one.
type lists struct {
	Senders []struct {
		AccountName   string `json:"AccountName"`
		Sendtype      string `json:"Sendtype"`
		ReplyAddress  string `json:"ReplyAddress"`
		AccountStatus number `json:"AccountStatus"`
		DomainStatus  number `json:"DomainStatus"`
		ReplyStatus   number `json:"ReplyStatus"`
	} `json:"mailAddress"`
	Domains []struct {
		DomainName    string `json:"DomainName"`
		DomainStatus  number `json:"DomainStatus"`
		SpfAuthStatus number `json:"SpfAuthStatus"`
		MxAuthStatus  number `json:"MxAuthStatus"`
	} `json:"domain"`
}

// search shows the pages of a list to found, until that says that the search is over.
func (c *Client) search(ctx context.Context, action, keyword string, found func(lists) bool) error {
	for page := 1; page <= queryPages; page++ {
		a, err := c.query(ctx, action, map[string]string{
			"KeyWord": keyword, "PageNo": strconv.Itoa(page), "PageSize": strconv.Itoa(queryPage),
		})
		if err != nil {
			return err
		}
		var list struct {
			TotalCount number          `json:"TotalCount"`
			Data       json.RawMessage `json:"data"` // null is an empty list
		}
		var entries lists
		if json.Unmarshal(a.body, &list) != nil || list.Data == nil || json.Unmarshal(list.Data, &entries) != nil {
			return foreign(a)
		}
		if found(entries) || page*queryPage >= list.TotalCount.or(0) {
			return nil
		}
	}
	return nil
}

// query makes a call and returns its answer, or the error as an [*Error].
func (c *Client) query(ctx context.Context, action string, parameters map[string]string) (answer, error) {
	a, failure := c.call(ctx, action, parameters)
	if failure != nil {
		return answer{}, failure
	}
	if a.status != http.StatusOK {
		return answer{}, a.failure()
	}
	return a, nil
}

// foreign is the error for an answer that is not one of Direct Mail's.
func foreign(a answer) *Error { return answer{status: a.status}.failure() }

// number is a JSON number, or one in a string: Direct Mail's documents have both
// for the same member. Whatever else it is, it does not hide the other members.
type number string

func (n *number) UnmarshalJSON(data []byte) error {
	*n = number(strings.Trim(string(data), `"`))
	return nil
}

func (n number) or(fallback int) int {
	if value, err := strconv.Atoi(string(n)); err == nil {
		return value
	}
	return fallback
}
