package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dmconnector/internal/seal"
	"dmconnector/internal/store"
)

// stateFlags name the state of a command, as for serve.
type stateFlags struct{ state, data string }

// addTo adds the flags to all commands below parent.
func (f *stateFlags) addTo(parent *cobra.Command) {
	parent.Args = onlySubcommands
	parent.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	flags := parent.PersistentFlags()
	secret(flags, &f.state, "state", "`address` of the state: sqlite:<path> or postgres://… (default: state.db in --data)")
	flags.StringVar(&f.data, "data", "./data", "`folder` for state and keys")
	parent.Annotations = withEnvironment("DMCONNECTOR_")
	parent.PersistentPreRunE = func(_ *cobra.Command, args []string) error {
		warnOfVariables(parent)
		return fromEnvironment(parent, args)
	}
}

// options are those of the state, which may have to exist already.
func (f *stateFlags) options(mustExist bool) (store.Options, error) {
	address, err := store.ParseAddress(stateAddress(f.state, f.data))
	switch {
	case err != nil:
		return store.Options{}, err
	case address.Kind == store.Memory:
		return store.Options{}, errForgotten
	case mustExist && !stateExists(address):
		return store.Options{}, errNoState(address)
	}
	return stateOptions(f.state, f.data)
}

var errForgotten = errors.New("use a state that lasts: memory ends with its process, and no other process can read it")

func errNoState(address store.Address) error {
	return fmt.Errorf("there is no state at sqlite:%s", address.Path)
}

func newState() *cobra.Command {
	var flags stateFlags
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Back up, copy, re-key, check or recover the state",
		Long: `state works on the state of serve: use the same --state and --data, or DMCONNECTOR_STATE
and DMCONNECTOR_DATA. The sealing key is DMCONNECTOR_SECRET_KEY, else the one in --data.`,
	}
	flags.addTo(cmd)
	cmd.AddCommand(newBackup(&flags), newCopy(&flags), newRekey(&flags), newCheck(&flags), newRecover(&flags))
	return cmd
}

func newBackup(flags *stateFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy a SQLite state to a new file, even while the service runs",
		Long: `backup writes a consistent copy of the state to a new SQLite file with mode 0600. The
service may be running. The copy does not contain the sealing key: keep secret-key
from --data, or DMCONNECTOR_SECRET_KEY, in another place.

To restore it, stop the service, replace state.db with the file, and remove
state.db-wal and state.db-shm if they exist.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state := stateAddress(flags.state, flags.data)
			address, err := store.ParseAddress(state)
			if err != nil {
				return err
			}
			if !stateExists(address) {
				return errNoState(address)
			}
			return store.Backup(cmd.Context(), state, args[0])
		},
	}
}

func newCopy(flags *stateFlags) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "copy --from STATE --to STATE",
		Short: "Copy a state from SQLite to PostgreSQL or back",
		Long: `copy copies everything except sessions into an empty state: messages, including queued
ones, connectors, templates, tokens, limits and the audit trail. Stop the service
first, and do not start it on the old state again: it would send queued messages
twice. A copy that fails leaves the new state empty.

Secrets are opened with DMCONNECTOR_SECRET_KEY or the key in --data, whichever fits,
and sealed with the key that serve would use for the new state. Pass an address with a
password in DMCONNECTOR_FROM or DMCONNECTOR_TO, or in a file named by the same
variable with _FILE appended.`,
		Example:     `  dmconnector state copy --from sqlite:data/state.db --to postgres://dmconnector@db/dmconnector`,
		Args:        noArguments,
		Annotations: withEnvironment("DMCONNECTOR_"),
		PreRunE:     fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return errors.New("set both --from and --to")
			}
			return copyState(cmd.Context(), cmd.OutOrStdout(), from, to, flags.data)
		},
	}
	secret(cmd.Flags(), &from, "from", "`address` of the state to copy")
	secret(cmd.Flags(), &to, "to", "`address` of the empty state to copy to")
	return cmd
}

func copyState(ctx context.Context, stdout io.Writer, from, to, data string) error {
	source := stateFlags{from, data}
	if _, err := source.options(true); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	address, err := store.ParseAddress(from)
	if err != nil {
		return err
	}
	keys, err := openingKeys(address, data)
	if err != nil {
		return err
	}
	ring, err := seal.NewRing(keys...)
	if err != nil {
		return err
	}
	target, err := (&stateFlags{to, data}).options(false)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	copied, err := store.Copy(ctx, store.Options{State: from, Ring: ring}, target)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, c := range copied {
		fmt.Fprintf(table, "%s\t%d\n", c.Table, c.Rows)
	}
	return table.Flush()
}

func newRekey(flags *stateFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rekey",
		Short: "Seal the secrets in the state with a new key",
		Long: `rekey seals every secret in the state with a new key.

If the key is the file in --data, stop the service first: rekey creates a new key.

If the key is DMCONNECTOR_SECRET_KEY, set it to NEW,OLD: rekey seals everything with
the first key, and the others are no longer needed. With PostgreSQL the service can
keep running if every process has both keys: restart each with OLD,NEW first, then
each with NEW,OLD, so that all can open what any of them seals.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			count, err := rekey(cmd.Context(), flags, newLog(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "sealed with the new key: %d\n", count)
			return nil
		},
	}
}

// rekey returns the number of sealed values.
func rekey(ctx context.Context, flags *stateFlags, log *slog.Logger) (count int, err error) {
	opts, err := flags.options(true)
	if err != nil {
		return 0, err
	}
	given, err := environmentKeys()
	if err != nil {
		return 0, err
	}
	address, err := store.ParseAddress(opts.State)
	if err != nil {
		return 0, err
	}
	opts.Log, opts.Shared = log, address.Kind == store.Postgres
	s, err := store.Open(ctx, opts)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if given != nil {
		return s.Reseal(ctx, opts.Ring)
	}
	return rekeyFile(ctx, s, flags.data)
}

// A resealer is a state whose key can be changed.
type resealer interface {
	Reseal(ctx context.Context, ring *seal.Ring) (int, error)
}

// rekeyFile gives the state a fresh key. At any moment the file has a key that opens the
// state.
func rekeyFile(ctx context.Context, s resealer, folder string) (int, error) {
	keys, err := fileKeys(folder)
	if err != nil {
		return 0, err
	}
	fresh := seal.NewKey()
	both := append([][]byte{fresh}, keys...)
	ring, err := seal.NewRing(both...)
	if err != nil {
		return 0, err
	}
	if err := replaceKeys(folder, both...); err != nil {
		return 0, err
	}
	count, err := s.Reseal(ctx, ring)
	if err != nil {
		return 0, err
	}
	return count, replaceKeys(folder, fresh)
}

func newCheck(flags *stateFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Look for damage in a SQLite state, even while the service runs",
		Long: `check reads the whole state, and opens all that is sealed in it. It changes no data. It
prints what is wrong, and then exits with status 1.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := flags.options(true)
			if err != nil {
				return err
			}
			problems, err := store.Check(cmd.Context(), opts)
			if err != nil {
				return err
			}
			for _, problem := range problems {
				fmt.Fprintln(cmd.OutOrStdout(), problem)
			}
			if len(problems) > 0 {
				return errors.New("the state is damaged, or its key is another: with the right key, stop the service, run dmconnector state recover, and start it")
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
}

func newRecover(flags *stateFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "recover",
		Short: "Save what can be read of a damaged SQLite state",
		Long: `recover makes a new file of all rows that can be read, except sessions, and puts it in
the place of the damaged one, which it keeps beside it. Stop the service first. It
prints how many rows of each table were saved and lost. Messages that were saved as
queued are sent after the next start.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := flags.options(true)
			if err != nil {
				return err
			}
			opts.Log = newLog(cmd.ErrOrStderr())
			recovered, old, err := store.Recover(cmd.Context(), opts)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "TABLE\tSAVED\tLOST")
			for _, r := range recovered {
				fmt.Fprintf(table, "%s\t%d\t%d\n", r.Table, r.Saved, len(r.Lost))
			}
			if err := table.Flush(); err != nil {
				return err
			}
			for _, r := range recovered {
				for _, key := range r.Lost {
					if r.Table != "rate_limit" { // its keys are hashes
						fmt.Fprintf(cmd.OutOrStdout(), "lost: %s %s\n", r.Table, key)
					}
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the damaged file is kept as %s\n", old)
			return nil
		},
	}
}
