// Package logtopeers holds tests only: Logto's own npm packages against the
// service and against the template language.
package logtopeers
