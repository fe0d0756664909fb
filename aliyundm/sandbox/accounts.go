package sandbox

import (
	"slices"
	"strings"
)

// accounts are the known accounts by their AccessKeyID. They are never changed,
// only replaced as a whole.
type accounts map[string]*account

type account struct {
	secret  string
	token   string
	denied  bool
	senders []string // lower case; empty means any
}

func newAccounts(list []Account) accounts {
	known := accounts{}
	for _, a := range list {
		if a.AccessKeyID == "" || a.AccessKeySecret == "" {
			continue
		}
		have, again := known[a.AccessKeyID]
		if !again {
			known[a.AccessKeyID] = &account{
				secret: a.AccessKeySecret, token: a.SecurityToken, denied: a.Denied,
				senders: lowered(a.Senders),
			}
			continue
		}
		if len(a.Senders) == 0 || len(have.senders) == 0 {
			have.senders = nil
			continue
		}
		have.senders = append(have.senders, lowered(a.Senders)...)
	}
	return known
}

// owns reports whether the sender address exists for the account.
func (a *account) owns(sender string) bool {
	if len(a.senders) == 0 {
		return isAddress(sender)
	}
	return slices.Contains(a.senders, strings.ToLower(sender))
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}
