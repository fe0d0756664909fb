package aliyundm

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
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
	Status         AccountStatus
	DailyQuota     int // mails a day
	MonthQuota     int
	QuotaLevel     int // the reputation, which the quota follows
	MaxQuotaLevel  int
	FreeQuota      int // what remains of the free mails
	DailyFreeQuota int
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
		UserStatus           number `json:"UserStatus"`
		DailyQuota           number `json:"DailyQuota"`
		MonthQuota           number `json:"MonthQuota"`
		QuotaLevel           number `json:"QuotaLevel"`
		MaxQuotaLevel        number `json:"MaxQuotaLevel"`
		RemainFreeQuota      number `json:"RemainFreeQuota"`
		DailyRemainFreeQuota number `json:"DailyRemainFreeQuota"`
	}
	got, err := c.query(ctx, "DescAccountSummary", nil)
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(got.body, &a) != nil || a.UserStatus == "" {
		return nil, foreign(got)
	}
	return &AccountSummary{
		Status: AccountStatus(a.UserStatus.or(0)), DailyQuota: a.DailyQuota.or(-1), MonthQuota: a.MonthQuota.or(-1),
		QuotaLevel: a.QuotaLevel.or(-1), MaxQuotaLevel: a.MaxQuotaLevel.or(-1),
		FreeQuota: a.RemainFreeQuota.or(-1), DailyFreeQuota: a.DailyRemainFreeQuota.or(-1),
	}, nil
}

// FindMailAddress returns the sender address of that name, whatever its case, or
// nil if the region has none. It needs the permission dm:QueryMailAddressByParam.
func (c *Client) FindMailAddress(ctx context.Context, name string) (*MailAddress, error) {
	type entry struct {
		AccountName, Sendtype, ReplyAddress      string
		AccountStatus, DomainStatus, ReplyStatus number
	}
	m, err := findEntry(ctx, c, "QueryMailAddressByParam", "mailAddress", addressKeyword(name), func(e entry) bool {
		return strings.EqualFold(e.AccountName, name)
	})
	if m == nil {
		return nil, err
	}
	return &MailAddress{
		AccountName: m.AccountName, SendType: m.Sendtype, ReplyAddress: m.ReplyAddress,
		Frozen: m.AccountStatus.or(0) != 0, DomainInvalid: m.DomainStatus.or(0) == 1, ReplyUnchecked: m.ReplyStatus.or(0) != 0,
	}, nil
}

// FindDomain returns the sender domain of that name, whatever its case, or nil if
// the region has none. It needs the permission dm:QueryDomainByParam.
func (c *Client) FindDomain(ctx context.Context, name string) (*Domain, error) {
	type entry struct {
		DomainName                                string
		DomainStatus, SpfAuthStatus, MxAuthStatus number
	}
	d, err := findEntry(ctx, c, "QueryDomainByParam", "domain", last(name, maxDomainKeyword), func(e entry) bool {
		return strings.EqualFold(e.DomainName, name)
	})
	if d == nil {
		return nil, err
	}
	return &Domain{
		// 2 to 4 lack a record or the filing, and send all the same.
		Name: d.DomainName, Sendable: d.DomainStatus.or(1) != 1,
		SPFOK: d.SpfAuthStatus.or(1) == 0, MXOK: d.MxAuthStatus.or(1) == 0,
	}, nil
}

const (
	queryPage  = 50 // entries a page; an account has some ten
	queryPages = 20

	maxAddressKeyword = 60
	maxDomainKeyword  = 50
)

// addressKeyword is what to search for: the address, or only its domain if it has
// characters that a search may not have.
func addressKeyword(address string) string {
	foreign := func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '.' && r != '-' && r != '@' }
	if strings.ContainsFunc(address, foreign) || len(address) > maxAddressKeyword {
		_, address, _ = strings.Cut(address, "@")
	}
	return last(address, maxAddressKeyword)
}

func last(s string, length int) string { return s[max(0, len(s)-length):] }

// findEntry searches the pages of a list, which is a member of the answer's data,
// for the first entry that is wanted. It returns nil if there is none.
func findEntry[T any](ctx context.Context, c *Client, action, member, keyword string, wanted func(T) bool) (*T, error) {
	for page := 1; page <= queryPages; page++ {
		a, err := c.query(ctx, action, map[string]string{
			"KeyWord": keyword, "PageNo": strconv.Itoa(page), "PageSize": strconv.Itoa(queryPage),
		})
		if err != nil {
			return nil, err
		}
		var list struct {
			TotalCount number          `json:"TotalCount"`
			Data       json.RawMessage `json:"data"`
		}
		var lists map[string]json.RawMessage
		if json.Unmarshal(a.body, &list) != nil || list.Data == nil || json.Unmarshal(list.Data, &lists) != nil {
			return nil, foreign(a)
		}
		for name, raw := range lists {
			var entries []T
			if strings.EqualFold(name, member) && json.Unmarshal(raw, &entries) != nil {
				return nil, foreign(a)
			}
			if i := slices.IndexFunc(entries, wanted); i >= 0 {
				return &entries[i], nil
			}
		}
		if page*queryPage >= list.TotalCount.or(0) {
			break
		}
	}
	return nil, nil
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
// for the same member. Anything else is empty.
type number string

// UnmarshalJSON never fails, so that one odd member does not hide the others.
func (n *number) UnmarshalJSON(data []byte) error {
	*n = number(strings.Trim(string(data), `"`))
	if _, err := strconv.Atoi(string(*n)); err != nil {
		*n = ""
	}
	return nil
}

func (n number) or(fallback int) int {
	if n == "" {
		return fallback
	}
	value, _ := strconv.Atoi(string(n)) // UnmarshalJSON has tried
	return value
}
