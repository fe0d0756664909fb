package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm/sandbox"
)

func newSandbox() *cobra.Command {
	var (
		listen, token, sender string
		account               sandbox.Account
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a simulated Direct Mail with an inbox",
		Long: `sandbox runs a simulated Direct Mail: its API at /, the mails it got at /inbox, and
faults to switch on at /faults. It sends nothing. Any Aliyun SDK can talk to it.

Every flag is also an environment variable, DMCONNECTOR_SANDBOX_<FLAG>; the secret
and the token also as DMCONNECTOR_SANDBOX_<FLAG>_FILE.`,
		Args:    cobra.NoArgs,
		PreRunE: fromEnvironment("DMCONNECTOR_SANDBOX_"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if account.AccessKeyID == "" || account.AccessKeySecret == "" {
				return errors.New("--access-key-id and --access-key-secret are needed: the sandbox checks signatures with them")
			}
			if sender != "" {
				account.Senders = []string{sender}
			}
			log := newLog(cmd.ErrOrStderr())
			listener, err := listenSandbox(cmd.Context(), listen, token)
			if err != nil {
				return err
			}
			s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{account}, Token: token, Log: log})
			fmt.Fprintf(cmd.OutOrStdout(), "The sandbox listens on http://%s (inbox: /inbox, faults: /faults)\n", listener.Addr())
			server := newHTTPServer(s, log)
			return serveUntilDone(cmd.Context(), server, listener, drainer{begin: s.Close})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:8025", "`address` to listen on")
	flags.StringVar(&account.AccessKeyID, "access-key-id", "", "the AccessKey `ID` it knows")
	secret(flags, &account.AccessKeySecret, "access-key-secret", "that key's `secret`")
	flags.StringVar(&sender, "account-name", "", "the sender `address` it knows (default: any)")
	secret(flags, &token, "token", "`token` for /inbox and /faults, needed beyond loopback")
	return cmd
}

// listenSandbox opens the sandbox's port. Beyond loopback the inbox, which
// holds codes, must have a token.
func listenSandbox(ctx context.Context, address, token string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if token == "" && !isLoopback(listener.Addr()) {
		listener.Close()
		return nil, fmt.Errorf("the sandbox shows codes: beyond loopback (%s) it needs a token", address)
	}
	return listener, nil
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// sandboxAccounts are the keys and senders that the connectors use.
func sandboxAccounts(files []connectorFile) []sandbox.Account {
	byKey := make(map[string]*sandbox.Account)
	var order []string
	for _, file := range files {
		cfg := file.Config
		if byKey[cfg.AccessKeyID] == nil {
			order = append(order, cfg.AccessKeyID)
			byKey[cfg.AccessKeyID] = &sandbox.Account{
				AccessKeyID: cfg.AccessKeyID, AccessKeySecret: string(cfg.AccessKeySecret), SecurityToken: string(cfg.SecurityToken),
			}
		}
		byKey[cfg.AccessKeyID].Senders = append(byKey[cfg.AccessKeyID].Senders, cfg.AccountName)
	}
	accounts := make([]sandbox.Account, len(order))
	for i, key := range order {
		accounts[i] = *byKey[key]
	}
	return accounts
}

// startSandbox runs a sandbox for the connectors, and returns its address and
// what ends it.
func startSandbox(ctx context.Context, address, token string, files []connectorFile, log *slog.Logger) (net.Addr, func(), error) {
	listener, err := listenSandbox(ctx, address, token)
	if err != nil {
		return nil, nil, fmt.Errorf("sandbox: %w", err)
	}
	s := sandbox.New(sandbox.Options{Accounts: sandboxAccounts(files), Token: token, Log: log.With("part", "sandbox")})
	server := newHTTPServer(s, log)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the sandbox ended", "error", err)
		}
	}()
	stop := func() {
		s.Close()
		if err := server.Close(); err != nil {
			log.Warn("the sandbox did not close", "error", err)
		}
	}
	return listener.Addr(), stop, nil
}
