package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"dmconnector/aliyundm"
)

func (e *examination) account(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	summary, err := e.Client.DescAccountSummary(ctx)
	if err != nil {
		e.settle(unseen(Account, "DescAccountSummary", refusal(err)))
		return
	}
	e.settle(judgeAccount(summary))
}

// conditions are the bits of an account's status.
var conditions = []struct {
	bit        aliyundm.AccountStatus
	name, cure string
}{
	{aliyundm.AccountFrozen, "frozen", "Open a ticket with Aliyun to find out why and have it lifted."},
	{aliyundm.AccountOverdue, "overdue", "Pay the outstanding amount, or top up the balance."},
	{aliyundm.AccountRestricted, "restricted", "Direct Mail restricts accounts mostly for bounces or complaints: see the reason in the console, and open a ticket to have it lifted."},
	{aliyundm.AccountDeleted, "deleted", "Activate Direct Mail again in the console."},
}

func judgeAccount(a *aliyundm.AccountSummary) Step {
	values := map[string]string{
		"daily": figure(a.DailyQuota), "month": figure(a.MonthQuota), "level": figure(a.QuotaLevel), "maxLevel": figure(a.MaxQuotaLevel), "free": figure(a.FreeQuota),
	}
	if a.Status != 0 {
		return badStatus(a.Status)
	}
	if a.DailyQuota == 0 || a.MonthQuota == 0 {
		return Step{
			Check: Account, Status: Problem, Finding: "quota_none", Values: values,
			Detail: "The account's quota is 0 mails.", Cure: "See the quota and the reason in the Direct Mail console, and open a ticket for more.",
		}
	}
	return Step{
		Check: Account, Status: Good, Finding: "account_good", Values: values,
		Detail: fmt.Sprintf("The account is active: at most %s mails a day and %s a month, reputation level %s of %s.",
			values["daily"], values["month"], values["level"], values["maxLevel"]),
	}
}

func badStatus(status aliyundm.AccountStatus) Step {
	var names, cures []string
	for _, c := range conditions {
		if status&c.bit != 0 {
			names, cures = append(names, c.name), append(cures, c.cure)
		}
	}
	if len(names) == 0 {
		names, cures = []string{"in the unknown status " + strconv.Itoa(int(status))}, []string{"See the Direct Mail console."}
	}
	return Step{
		Check: Account, Status: Problem, Finding: "account_stopped", Values: map[string]string{"conditions": strings.Join(names, " ")},
		Detail: "The account cannot send: it is " + strings.Join(names, " and ") + ".", Cure: strings.Join(cures, " "),
	}
}

// figure is a number as text, or "?" if the answer lacked it.
func figure(n int) string {
	if n < 0 {
		return "?"
	}
	return strconv.Itoa(n)
}
