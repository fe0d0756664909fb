package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func newHealthcheck() *cobra.Command {
	var (
		listen, tlsCert string
		ready           bool
		timeout         time.Duration
	)
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Check that the service on this machine is alive or ready",
		Long: `healthcheck calls the service that runs with the same --listen and --tls-cert. The
exit status is 0 if it is alive, or with --ready if it can send; otherwise 1. Use it
as the health check of a container, which contains no other program.

Every flag can also be set by an environment variable, DMCONNECTOR_<FLAG>, as for
serve.`,
		Example: `  dmconnector healthcheck
  dmconnector healthcheck --ready --listen 0.0.0.0:8080`,
		Args:        cobra.NoArgs,
		Annotations: withEnvironment("DMCONNECTOR_"),
		PreRunE:     fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := healthAddress(listen, tlsCert != "", ready)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return askHealth(ctx, address)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:8080", "--listen `address` of serve")
	flags.StringVar(&tlsCert, "tls-cert", "", "--tls-cert `file` of serve; if set, use HTTPS")
	boolVar(flags, &ready, "ready", "check that it can send, not only that it is alive")
	durationVar(flags, &timeout, "timeout", "5s", "`duration` to wait for an answer")
	return cmd
}

// healthAddress returns the URL to call. A service that listens on every address is
// called on loopback.
func healthAddress(listen string, secure, ready bool) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("--listen: %w", err)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	address := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/healthz"}
	if secure {
		address.Scheme = "https"
	}
	if ready {
		address.Path = "/readyz"
	}
	return address.String(), nil
}

func askHealth(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport: &http.Transport{
			//nolint:gosec // The certificate has another name than loopback, and neither request nor answer is secret.
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, resp.Status)
	}
	return nil
}
