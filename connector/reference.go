package connector

import (
	"regexp"
	"strings"
)

var referencePattern = regexp.MustCompile(`^\$\{(env|file):([^{}]+)\}$`)

// resolveReferences puts the value in place of ${env:NAME} and ${file:PATH} in
// the credential fields. Only a whole value can be a reference.
func resolveReferences(cfg *Config, look func(kind, name string) (string, error), report *Report) {
	fields := map[string]*string{
		"/accessKeyId":     &cfg.AccessKeyID,
		"/accessKeySecret": (*string)(&cfg.AccessKeySecret),
		"/securityToken":   (*string)(&cfg.SecurityToken),
	}
	for _, pointer := range []string{"/accessKeyId", "/accessKeySecret", "/securityToken"} {
		value := fields[pointer]
		if !strings.HasPrefix(*value, "${") {
			continue
		}
		ref := referencePattern.FindStringSubmatch(*value)
		switch {
		case ref == nil:
			report.errorf(pointer, "begins like a reference but is none: write ${env:NAME} or ${file:PATH}")
		case look == nil:
			report.errorf(pointer, "is a reference, and references are read in operators' files only: give the value itself")
		default:
			found, err := look(ref[1], ref[2])
			if err != nil {
				report.errorf(pointer, "cannot be looked up: %v", err)
				continue
			}
			// Editors and echo leave a line break at the end of secret files.
			*value = strings.TrimRight(found, "\r\n")
		}
	}
}
