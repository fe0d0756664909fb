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
	senders []sender // empty means any

	sendOnly   bool
	status     int
	frozen     []string // lower case
	unverified []string // lower case
}

// A sender is an address that exists, in one region or, if that is empty, in all.
type sender struct {
	address string // lower case
	region  string
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
				secret: a.AccessKeySecret, token: a.SecurityToken, denied: a.Denied, sendOnly: a.SendOnly,
				senders: sendersOf(a), status: a.Status, frozen: lowered(a.Frozen), unverified: lowered(a.Unverified),
			}
			continue
		}
		if len(a.Senders) == 0 || len(have.senders) == 0 {
			have.senders = nil
			continue
		}
		have.senders = append(have.senders, sendersOf(a)...)
	}
	return known
}

func sendersOf(a Account) []sender {
	list := make([]sender, len(a.Senders))
	for i, address := range lowered(a.Senders) {
		list[i] = sender{address, a.Region}
	}
	return list
}

// owns reports whether the sender address exists for the account in the region; a
// call that names no region is taken to mean all of them.
func (a *account) owns(address, region string) bool {
	if len(a.senders) == 0 {
		return isAddress(address)
	}
	return slices.Contains(a.in(region), strings.ToLower(address))
}

// in are the account's senders in the region, each once.
func (a *account) in(region string) []string {
	var list []string
	for _, s := range a.senders {
		here := region == "" || s.region == "" || s.region == region
		if here && !slices.Contains(list, s.address) {
			list = append(list, s.address)
		}
	}
	return list
}

func (a *account) froze(sender string) bool {
	return slices.Contains(a.frozen, strings.ToLower(sender))
}

// verified reports whether the domain of the address, or the domain itself, is.
func (a *account) verified(name string) bool {
	return !slices.Contains(a.unverified, strings.ToLower(name[strings.IndexByte(name, '@')+1:]))
}

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}
