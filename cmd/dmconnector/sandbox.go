package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dmconnector/aliyundm"
	"dmconnector/aliyundm/sandbox"
	"dmconnector/connector"
	"dmconnector/internal/delivery"
	"dmconnector/internal/plaintext"
)

func newSandbox() *cobra.Command {
	var (
		listen, token, sender string
		account               sandbox.Account
	)
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a simulated Direct Mail with an inbox",
		Long: `sandbox runs a simulated Direct Mail: its API at /, the received mails at /inbox, and
faults to inject at /faults. It sends nothing. Any Aliyun SDK can call it.

Every flag can also be set by an environment variable, DMCONNECTOR_SANDBOX_<FLAG>.
For the secret and the token, a variable with _FILE appended names a file.`,
		Args:        cobra.NoArgs,
		Annotations: withEnvironment("DMCONNECTOR_SANDBOX_"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			warnOfVariables(cmd)
			return fromEnvironment(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if account.AccessKeyID == "" || account.AccessKeySecret == "" {
				return errors.New("set --access-key-id and --access-key-secret: the sandbox checks signatures with them")
			}
			if strings.HasPrefix(account.AccessKeyID, "STS.") {
				return errors.New("use another --access-key-id: STS. begins that of a temporary key, which needs a security token")
			}
			for name, value := range map[string]*string{"access-key-id": &account.AccessKeyID, "access-key-secret": &account.AccessKeySecret, "token": &token} {
				if *value == "" {
					continue
				}
				text, err := plaintext.Secret(*value)
				if err != nil {
					return fmt.Errorf("copy --%s again: %w", name, err)
				}
				*value = text
			}
			if sender != "" {
				account.Senders = []string{sender}
			}
			log := newLog(cmd.ErrOrStderr())
			listener, err := listenSandbox(cmd.Context(), listen, token)
			if err != nil {
				return adviseAddress(err)
			}
			s := sandbox.New(sandbox.Options{Accounts: []sandbox.Account{account}, Token: token, Log: log})
			fmt.Fprintf(cmd.OutOrStdout(), "The sandbox listens on http://%s (inbox: /inbox, faults: /faults)\n", listener.Addr())
			server := newHTTPServer(s, log)
			return serveUntilDone(cmd.Context(), server, []net.Listener{listener}, drainer{begin: s.Close})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:8025", "`address` to listen on")
	flags.StringVar(&account.AccessKeyID, "access-key-id", "", "AccessKey `ID` that the sandbox accepts")
	secret(flags, &account.AccessKeySecret, "access-key-secret", "AccessKey `secret`")
	flags.StringVar(&sender, "account-name", "", "sender `address` that the sandbox accepts (default: any)")
	var regions []string
	for _, region := range aliyundm.Regions() {
		regions = append(regions, region.ID)
	}
	wordVar(flags, &account.Region, "region", "", "`region` that has the sender (default: all)", regions...)
	boolVar(flags, &account.SendOnly, "send-only", "allow the key only to send, not to query account, senders and domains")
	secret(flags, &token, "token", "`token` for /inbox and /faults; required unless --listen is loopback")
	return cmd
}

// listenSandbox opens the sandbox's port. The inbox shows codes: unless it listens on
// loopback, it must have a token.
func listenSandbox(ctx context.Context, address, token string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if token == "" && !isLoopback(listener.Addr()) {
		listener.Close()
		return nil, fmt.Errorf("set --token: the sandbox shows codes, and %s is not loopback", address)
	}
	return listener, nil
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// A localSandbox is the sandbox inside serve; nil without --sandbox.
type localSandbox struct {
	sandbox *sandbox.Sandbox
	address net.Addr
	server  *http.Server
	// roleKey is the made-up key of connectors with a RAM role: a trial needs no role,
	// and the keys of a real one must not reach the sandbox.
	roleKey aliyundm.Credentials
	log     *slog.Logger
}

// startSandbox runs a sandbox without accounts.
func startSandbox(ctx context.Context, address, token string, log *slog.Logger) (*localSandbox, error) {
	listener, err := listenSandbox(ctx, address, token)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", adviseAddress(err))
	}
	s := &localSandbox{
		sandbox: sandbox.New(sandbox.Options{Token: token, Log: log.With("part", "sandbox")}), address: listener.Addr(),
		roleKey: aliyundm.Credentials{AccessKeyID: "STS." + rand.Text(), AccessKeySecret: rand.Text(), SecurityToken: rand.Text()},
		log:     log,
	}
	s.server = newHTTPServer(s.sandbox, log)
	go func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("sandbox failed", "error", err)
		}
	}()
	return s, nil
}

func (s *localSandbox) stop() {
	if s == nil {
		return
	}
	s.sandbox.Close()
	if err := s.server.Close(); err != nil {
		s.log.Warn("cannot close sandbox", "error", err)
	}
}

func (s *localSandbox) url() string {
	if s == nil {
		return ""
	}
	if tcp, ok := s.address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	return "http://" + s.address.String()
}

// inbox is for the admin API, which asks for a token itself; nil without a sandbox.
func (s *localSandbox) inbox() http.Handler {
	if s == nil {
		return nil
	}
	return s.sandbox.Inbox()
}

// know gives the sandbox the keys and senders that the connectors use.
func (s *localSandbox) know(connectors map[string]delivery.Connector) {
	if s == nil {
		return
	}
	accounts := make([]sandbox.Account, 0, len(connectors))
	for _, id := range slices.Sorted(maps.Keys(connectors)) {
		cfg := connectors[id].Composer.Config()
		key := s.credentials(cfg)
		accounts = append(accounts, sandbox.Account{
			AccessKeyID: key.AccessKeyID, AccessKeySecret: key.AccessKeySecret, SecurityToken: key.SecurityToken,
			Senders: []string{cfg.AccountName},
		})
	}
	s.sandbox.SetAccounts(accounts)
}

// credentials are a connector's in the sandbox.
func (s *localSandbox) credentials(cfg *connector.Config) aliyundm.Credentials {
	if cfg.Credentials != nil {
		return s.roleKey
	}
	return cfg.ClientOptions().Credentials
}
