package aliyundm

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Credentials are an access key, with a security token if the key is a temporary
// one (STS). Printed, logged or marshalled they show the beginning of the key's
// id and nothing else.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string
}

// String returns the beginning of the access key's id.
func (c Credentials) String() string { return "access key " + c.hint() }

// GoString is like String, for the verb %#v.
func (c Credentials) GoString() string {
	return fmt.Sprintf("aliyundm.Credentials{AccessKeyID:%q}", c.hint())
}

// LogValue is like String, for package slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.hint()) }

// MarshalJSON is like String, for package json. Nothing reads it back.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"accessKeyId": c.hint()})
}

// hint tells one long key from another, and nothing of a short one.
func (c Credentials) hint() string {
	if len(c.AccessKeyID) < 16 {
		return "***"
	}
	return c.AccessKeyID[:6] + "***"
}

// check reports what makes every signature wrong, such as a blank that came along
// when the key was copied.
func (c Credentials) check() error {
	if c.AccessKeyID == "" || c.AccessKeySecret == "" {
		return errors.New("access key: id and secret are needed")
	}
	for _, part := range []string{c.AccessKeyID, c.AccessKeySecret, c.SecurityToken} {
		if strings.TrimSpace(part) != part {
			return errors.New("access key: there are blanks around the id, the secret or the security token")
		}
	}
	return nil
}
