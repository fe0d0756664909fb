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

// stateFlags name the state that a command works on, as those of serve do.
type stateFlags struct{ state, data string }

// addTo gives the flags to all commands below parent, which is one only to have
// them.
func (f *stateFlags) addTo(parent *cobra.Command) {
	parent.Args = cobra.NoArgs
	parent.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	flags := parent.PersistentFlags()
	secret(flags, &f.state, "state", "`address` of the state: sqlite:<path> or postgres://… (default: state.db in --data)")
	flags.StringVar(&f.data, "data", "./data", "`folder` for state and keys")
	parent.Annotations = withEnvironment("DMCONNECTOR_")
	parent.PersistentPreRunE = func(_ *cobra.Command, args []string) error { return fromEnvironment(parent, args) }
}

// options are those of the state. It must be there already, if the command only
// makes sense then.
func (f *stateFlags) options(mustExist bool) (store.Options, error) {
	address := stateAddress(f.state, f.data)
	kind, err := store.KindOf(address)
	switch {
	case err != nil:
		return store.Options{}, err
	case kind == store.Memory:
		return store.Options{}, errForgotten
	case mustExist && !stateExists(address):
		return store.Options{}, errNoState(address)
	}
	return stateOptions(f.state, f.data)
}

var errForgotten = errors.New("the state memory is forgotten when its server ends, and no other process sees it: start serve with a state that lasts, and name it with --state or --data")

// errNoState may name the address: it is a file's.
func errNoState(address string) error { return fmt.Errorf("there is no state at %s yet", address) }

func newState() *cobra.Command {
	var flags stateFlags
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Back up, copy and seal anew what the service remembers",
		Long: `state works on what serve remembers. Its --state and --data are those of serve, and
are read from DMCONNECTOR_STATE and DMCONNECTOR_DATA too; the key is that of
DMCONNECTOR_SECRET_KEY, else the one in --data.`,
	}
	flags.addTo(cmd)
	cmd.AddCommand(newBackup(&flags), newCopy(&flags), newRekey(&flags))
	return cmd
}

func newBackup(flags *stateFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of a SQLite state into a new file, also while the service runs",
		Long: `backup writes the state, as of one moment, into a new SQLite file for its owner
alone. The service may be running. The key that secrets are sealed with is not in
it: keep secret-key from --data, or DMCONNECTOR_SECRET_KEY, as well, elsewhere.

To go back to it, stop the service, put the file in place of state.db, and remove
state.db-wal and state.db-shm if they are there.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address := stateAddress(flags.state, flags.data)
			if address != string(store.Memory) && !stateExists(address) {
				return errNoState(address)
			}
			return store.Backup(cmd.Context(), address, args[0])
		},
	}
}

func newCopy(flags *stateFlags) *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "copy --from STATE --to STATE",
		Short: "Copy a state from SQLite to PostgreSQL, or back",
		Long: `copy copies everything into an empty state: messages, those still queued too,
connectors, templates, tokens, limits and the audit trail. Stop the service first,
and do not start it on the old state again: it would send what is queued as well.
What cannot be finished is undone as a whole.

Secrets are opened with DMCONNECTOR_SECRET_KEY or the key in --data, whichever
fits, and sealed with the key that serve would use for the new state. An address
with a password is better given as DMCONNECTOR_FROM or DMCONNECTOR_TO, or in the
file that one of them with _FILE names.`,
		Example:     `  dmconnector state copy --from sqlite:data/state.db --to postgres://dmconnector@db/dmconnector`,
		Args:        cobra.NoArgs,
		Annotations: withEnvironment("DMCONNECTOR_"),
		PreRunE:     fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return errors.New("--from and --to are both needed")
			}
			return copyState(cmd.Context(), cmd.OutOrStdout(), from, to, flags.data)
		},
	}
	secret(cmd.Flags(), &from, "from", "`address` of the state to copy")
	secret(cmd.Flags(), &to, "to", "`address` of the empty state to copy it to")
	return cmd
}

func copyState(ctx context.Context, stdout io.Writer, from, to, data string) error {
	source := stateFlags{from, data}
	if _, err := source.options(true); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	kind, err := store.KindOf(from)
	if err != nil {
		return err
	}
	keys, err := openingKeys(kind, from, data)
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
		Short: "Seal the secrets in the state with another key",
		Long: `rekey seals every secret in the state with another key.

If the key is the file in --data, rekey makes a new one. Stop the service first.

If it is DMCONNECTOR_SECRET_KEY, put the new key in front of the old one, separated
by a comma: rekey seals with the first what the others have sealed, and then the
others can go. With PostgreSQL the service may run on, once every replica has been
started with both keys; replicas that are restarted one by one need OLD,NEW first,
and NEW,OLD then, so that each can open what another has sealed.`,
		Args: cobra.NoArgs,
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

// rekey returns how many values it has sealed.
func rekey(ctx context.Context, flags *stateFlags, log *slog.Logger) (count int, err error) {
	opts, err := flags.options(true)
	if err != nil {
		return 0, err
	}
	given, err := environmentKeys()
	if err != nil {
		return 0, err
	}
	kind, err := store.KindOf(opts.State)
	if err != nil {
		return 0, err
	}
	opts.Log, opts.Shared = log, kind == store.Postgres
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

// rekeyFile gives the state a fresh key. At each moment the file has what opens
// the state.
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
