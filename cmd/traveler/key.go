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
	return a.group("key", "Make private keys, show what they are, protect them", "", a.keyNew(), a.keyShow(), a.keyPassphrase())
}

// keyDocument is a key file without its secret.
type keyDocument struct {
	File      string       `json:"file"`
	Algorithm string       `json:"algorithm"`
	ID        ledger.KeyID `json:"id"`
	Public    string       `json:"public"` // hexadecimal
	Protected bool         `json:"protected"`
}

func describeKey(file string, key crypto.Signer) (keyDocument, error) {
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return keyDocument{}, fmt.Errorf("key %s: %w", file, err)
	}
	protected, err := agent.KeyProtected(file)
	return keyDocument{File: file, Algorithm: pub.Describe(), ID: pub.ID(), Public: hex.EncodeToString(pub.Bytes), Protected: protected}, err
}

func (a *app) printKey(file string, key crypto.Signer) error {
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
		s.value("private", map[bool]string{false: "in clear, readable by its owner only", true: "protected by a passphrase"}[doc.Protected])
		s.flush()
	})
}

func (a *app) keyNew() *cobra.Command {
	var file string
	var f *keyFlags
	c := a.command("new --output FILE", "Make a private key",
		`Make a key and write it to a new file that only its owner can read (PKCS #8 in
PEM, mode 0600), encrypted with a passphrase (age) unless --clear is given.
The passphrase is asked for; --passphrase-file or --passphrase-fd gives it
where nobody is at a terminal.`,
		func(context.Context, []string) error {
			form, err := f.form(a)
			if err != nil {
				return err
			}
			key, err := agent.NewKey(form.Algorithm, nil)
			if err != nil {
				return err
			}
			var p agent.Protection
			if form.Protect != nil {
				if p, err = form.Protect(file); err != nil {
					return err
				}
			}
			if err := agent.SaveKey(file, key, p); err != nil {
				return err
			}
			return a.printKey(file, key)
		})
	c.Example = "  traveler key new --output planner.key\n  traveler key new --alg rsa3072 --passphrase-file secret.txt -o planner.key"
	c.Flags().StringVarP(&file, "output", "o", "", "file that is made")
	_ = c.MarkFlagRequired("output") // the flag is defined above
	f = a.newKeyFlags(c, false)
	f.algorithm(c)
	return c
}

func (a *app) keyShow() *cobra.Command {
	return a.command("show FILE", "Show whose key a file holds",
		"Show the algorithm, id and public half of a private key, and whether it is protected. The private half is never shown.",
		func(_ context.Context, args []string) error {
			key, err := agent.LoadKey(args[0], a.unlock)
			if err != nil {
				return err
			}
			return a.printKey(args[0], key)
		})
}

func (a *app) keyPassphrase() *cobra.Command {
	var f *keyFlags
	c := a.command("passphrase FILE", "Set, change or remove the passphrase of a key",
		`Give a key file a passphrase, another one, or, with --clear, none. The key stays
the same. --passphrase-file and --passphrase-fd give the passphrase that it has,
--new-passphrase-file and --new-passphrase-fd the one that it gets; without them
both are asked for.

If this is interrupted, the file holds the key in the old form or the new one.
The old form may be read from the disk for a while: who may have seen a key in
clear has it, whatever its passphrase is later.`,
		func(_ context.Context, args []string) error {
			form, err := f.form(a)
			if err != nil {
				return err
			}
			key, err := agent.RewriteKey(args[0], a.unlock, form)
			if err != nil {
				return err
			}
			return a.printKey(args[0], key)
		})
	f = a.newKeyFlags(c, true)
	return c
}
