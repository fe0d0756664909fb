package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dmconnector/internal/registry"
	"dmconnector/internal/store"
	"dmconnector/internal/words"
)

// commandLine is the actor of changes made here, in the audit trail.
const commandLine = "command line"

func newToken() *cobra.Command {
	var flags stateFlags
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Create, list and revoke tokens",
		Long: `token creates, lists and revokes tokens in the state. A running service applies changes
within 2 s. Tokens from the flags of serve and from files in --data are not included.

Use the same --state and --data as serve, or DMCONNECTOR_STATE and DMCONNECTOR_DATA. The
sealing key is DMCONNECTOR_SECRET_KEY, else the one in --data.`,
	}
	flags.addTo(cmd)
	cmd.AddCommand(newTokenCreate(&flags), newTokenList(&flags), newTokenRevoke(&flags))
	return cmd
}

// withStore calls use with the state, beside a running service.
func (f *stateFlags) withStore(cmd *cobra.Command, mustExist bool, use func(context.Context, *store.Store) error) (err error) {
	opts, err := f.options(mustExist)
	if err != nil {
		return err
	}
	opts.Log, opts.Shared = newLog(cmd.ErrOrStderr()), true
	s, err := store.Open(cmd.Context(), opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return use(cmd.Context(), s)
}

func newTokenCreate(flags *stateFlags) *cobra.Command {
	var wanted store.Token
	cmd := &cobra.Command{
		Use:   "create --scope send|admin",
		Short: "Create a token and print it, once only",
		Long: `create creates a token and prints it alone on a line. The state keeps only its hash, so
it cannot be shown again.`,
		Example: `  dmconnector token create --scope send --connector default --expires 365d --note Logto`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := store.ParseAddress(stateAddress(flags.state, flags.data))
			if err != nil {
				return err
			}
			isNew := !stateExists(address)
			return flags.withStore(cmd, false, func(ctx context.Context, s *store.Store) error {
				made, text, err := s.CreateToken(ctx, commandLine, wanted)
				if err == nil && wanted.Connector != "" {
					err = warnOfConnector(ctx, cmd.ErrOrStderr(), s, wanted.Connector)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "token %s: scope %s, connector %s, expires %s; it is not shown again\n",
					made.ID, made.Scope, connectorOf(made), timeOrNever(made.Expires))
				if isNew {
					fmt.Fprintf(cmd.ErrOrStderr(), "created a new state, sqlite:%s: the token is valid for a service with the same --data or --state\n", address.Path)
				}
				fmt.Fprintln(cmd.OutOrStdout(), text)
				return nil
			})
		},
	}
	wordVar(cmd.Flags(), &wanted.Scope, "scope", "", "`scope`: send or admin", "send", "admin")
	cmd.Flags().StringVar(&wanted.Connector, "connector", "", "`id` of the only connector it may use (default: any)")
	parsedVar(cmd.Flags(), &wanted.Expires, "time", "expires", "never", "`time` when it expires: after a duration such as 30d, at an RFC 3339 time, or never", parseExpiry)
	cmd.Flags().StringVar(&wanted.Note, "note", "", "`note`, such as who uses the token")
	// The flag has just been defined, so that it cannot be missing.
	_ = cmd.MarkFlagRequired("scope")
	return cmd
}

// warnOfConnector notes that the state has no connector with the id. A file may have it.
func warnOfConnector(ctx context.Context, stderr io.Writer, s *store.Store, id string) error {
	configuration, err := s.Configuration(ctx)
	if err != nil {
		return err
	}
	known := []string{"default"} // of a single file
	for _, c := range configuration.Connectors {
		known = append(known, c.ID)
	}
	if !slices.Contains(known, id) {
		fmt.Fprintf(stderr, "note: the state has no connector %q: the token works only if a connector file has this id%s\n", id, words.DidYouMean(id, known))
	}
	return nil
}

// parseExpiry returns the zero time for never.
func parseExpiry(text string) (time.Time, error) {
	if strings.EqualFold(text, "never") {
		return time.Time{}, nil
	}
	if lifetime, err := words.Duration(text); err == nil {
		return time.Now().Add(lifetime), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("use a duration such as 30d, an RFC 3339 time such as 2030-01-31T00:00:00Z, or never")
	}
	return at, nil
}

func newTokenList(flags *stateFlags) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tokens, without their values",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := printTokens
			if format == "json" {
				write = printTokensJSON
			}
			return flags.withStore(cmd, true, func(ctx context.Context, s *store.Store) error {
				list, err := s.Tokens(ctx)
				if err != nil {
					return err
				}
				return write(cmd.OutOrStdout(), list)
			})
		},
	}
	formatVar(cmd.Flags(), &format)
	return cmd
}

func printTokens(w io.Writer, list []store.Token) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSCOPE\tCONNECTOR\tSTATUS\tCREATED\tEXPIRES\tNOTE")
	for _, t := range list {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			t.ID, t.Scope, connectorOf(t), statusOf(t, time.Now()), timeOrNever(t.Created), timeOrNever(t.Expires), t.Note)
	}
	return table.Flush()
}

func printTokensJSON(w io.Writer, list []store.Token) error {
	type token struct {
		ID        string    `json:"id"`
		Scope     string    `json:"scope"`
		Connector string    `json:"connector,omitempty"`
		Status    string    `json:"status"`
		Note      string    `json:"note"`
		Created   time.Time `json:"createdAt"`
		Expires   time.Time `json:"expiresAt,omitzero"`
		Revoked   time.Time `json:"revokedAt,omitzero"`
	}
	shown := make([]token, len(list))
	for i, t := range list {
		shown[i] = token{t.ID, t.Scope, t.Connector, statusOf(t, time.Now()), t.Note, t.Created, t.Expires, t.Revoked}
	}
	return printJSON(w, shown)
}

func connectorOf(t store.Token) string {
	if t.Connector == "" {
		return "any"
	}
	return t.Connector
}

func statusOf(t store.Token, now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return "expired"
	}
	return "active"
}

func timeOrNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

func newTokenRevoke(flags *stateFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a token",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.withStore(cmd, true, func(ctx context.Context, s *store.Store) error {
				err := s.RevokeToken(ctx, commandLine, args[0])
				if errors.Is(err, registry.ErrNotFound) {
					// The argument may be a token by mistake: do not repeat it.
					return errors.New("no token has this id: dmconnector token list shows the ids")
				}
				return err
			})
		},
	}
}
