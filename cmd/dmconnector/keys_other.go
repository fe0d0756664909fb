//go:build !unix

package main

func keepOwner(string, string) error { return nil }
