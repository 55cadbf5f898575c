package main

import (
	"context"
	"crypto"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"traveler.example/agent"
	"traveler.example/ledger"
)

func (a *app) keyCommand() *cobra.Command {
	return a.group("key", "Make private keys and show what they are", "", a.keyNew(), a.keyShow())
}

// keyDocument is a key file without its secret.
type keyDocument struct {
	File      string       `json:"file"`
	Algorithm string       `json:"algorithm"`
	ID        ledger.KeyID `json:"id"`
	Public    string       `json:"public"` // hexadecimal
}

func describeKey(file string, key crypto.Signer) (keyDocument, error) {
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return keyDocument{}, fmt.Errorf("key %s: %w", file, err)
	}
	return keyDocument{File: file, Algorithm: "Ed25519", ID: pub.ID(), Public: hex.EncodeToString(pub.Bytes)}, nil
}

func (a *app) printKey(file string, key crypto.Signer, last string) error {
	doc, err := describeKey(file, key)
	if err != nil {
		return err
	}
	return a.print(doc, func(w io.Writer) {
		s := newSheet(w)
		s.value("file", doc.File)
		s.value("algorithm", doc.Algorithm)
		s.value("id", doc.ID.String())
		s.value("public", doc.Public)
		s.flush()
		if last != "" {
			fmt.Fprintln(w, last)
		}
	})
}

func (a *app) keyNew() *cobra.Command {
	return a.command("new FILE", "Make a private key",
		"Make an Ed25519 key and write it, in clear, to a new file that only its owner can read (PKCS #8, PEM, mode 0600).",
		func(_ context.Context, args []string) error {
			key, err := agent.NewKey(nil)
			if err != nil {
				return err
			}
			if err := agent.SaveKey(args[0], key); err != nil {
				return err
			}
			return a.printKey(args[0], key, inClear)
		})
}

func (a *app) keyShow() *cobra.Command {
	return a.command("show FILE", "Show whose key a file holds",
		"Show the algorithm, id and public half of a private key. The private half is never shown.",
		func(_ context.Context, args []string) error {
			key, err := agent.LoadKey(args[0])
			if err != nil {
				return err
			}
			return a.printKey(args[0], key, "")
		})
}
