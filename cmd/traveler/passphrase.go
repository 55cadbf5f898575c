package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"traveler.example/agent"
)

// source is where a passphrase comes from as flags say: a file, a descriptor, or
// neither.
type source struct {
	prefix string // of the flags' names
	file   string
	fd     string
	read   agent.Passphrase // nil: no flag is given
}

// register defines the two flags of a source; whose says whose passphrase it is.
func (s *source) register(flags *pflag.FlagSet, whose string) {
	flags.StringVar(&s.file, s.prefix+"passphrase-file", "", "`FILE` with the passphrase of "+whose)
	flags.StringVar(&s.fd, s.prefix+"passphrase-fd", "", "open descriptor `N` with the passphrase of "+whose)
}

// settle turns the flags into the source, once.
func (s *source) settle() error {
	switch {
	case s.read != nil || s.file == "" && s.fd == "":
		return nil
	case s.file != "" && s.fd != "":
		return usage(hintf(fmt.Errorf("--%[1]spassphrase-file and --%[1]spassphrase-fd are both given", s.prefix), "leave one out"))
	case s.file != "":
		s.read = agent.PassphraseFile(s.file)
		return nil
	}
	fd, err := strconv.ParseUint(s.fd, 10, 16)
	if err != nil {
		return usage(hintf(fmt.Errorf("--%spassphrase-fd %q is no descriptor", s.prefix, s.fd), "a number, such as 3 with 3<FILE"))
	}
	s.read = agent.PassphraseFD(int(fd))
	return nil
}

// unlock is what opens keys that are protected: the flags, else a prompt on a
// terminal. Every command that signs opens its keys with it.
func (a *app) unlock(file string) (string, error) {
	switch {
	case a.secret.read != nil:
		return a.secret.read(file)
	case a.prompt.possible():
		return a.prompt.ask("passphrase of " + file + ": ")
	}
	return "", agent.ErrNeedPassphrase
}

// keyFlags are the flags of a command that makes keys, or keeps one otherwise.
type keyFlags struct {
	secret *source // of the passphrase that the keys get
	alg    string
	clear  bool
	board  bool // in clear unless flags say otherwise: a board starts with nobody there
}

// newKeyFlags defines them. A command that opens keys besides making one has
// flags of their own for the new passphrase: what the admins know is not for all.
func (a *app) newKeyFlags(c *cobra.Command, opens bool) *keyFlags {
	f := &keyFlags{secret: &a.secret}
	if opens {
		f.secret = &source{prefix: "new-"}
		f.secret.register(c.Flags(), "the new key")
	}
	c.Flags().BoolVar(&f.clear, "clear", false, "keep the new key in clear, without a passphrase")
	return f
}

// algorithm defines the flag for the kind of key.
func (f *keyFlags) algorithm(c *cobra.Command) {
	c.Flags().StringVar(&f.alg, "alg", string(agent.KeyEd25519), "kind of key: ed25519, rsa2048, rsa3072 or rsa4096")
}

// form is how keys are made, as the flags say. Where they say nothing a person
// is asked; without a terminal that is an error, before anything is made.
func (f *keyFlags) form(a *app) (form agent.KeyForm, err error) {
	if f.alg != "" {
		if form.Algorithm, err = agent.ParseKeyAlgorithm(f.alg); err != nil {
			return form, usage(hintf(err, "Ed25519 unless another system asks for RSA"))
		}
	}
	if err := f.secret.settle(); err != nil {
		return form, err
	}
	switch {
	case f.clear && f.secret.read != nil:
		return form, usage(hintf(fmt.Errorf("--clear and a passphrase (--%spassphrase-…) are both given", f.secret.prefix), "leave one out"))
	case f.clear || f.board && f.secret.read == nil:
		return form, nil
	case f.secret.read == nil && !a.prompt.possible():
		return form, usage(hintf(errors.New("the new key needs a passphrase, and there is no terminal to ask for it"),
			"--%[1]spassphrase-file FILE or --%[1]spassphrase-fd N gives one, --clear keeps the key in clear", f.secret.prefix))
	}
	form.Protect = func(file string) (agent.Protection, error) {
		passphrase, err := f.choose(a, file)
		if err != nil {
			return agent.Protection{}, err
		}
		p, err := agent.Protect(passphrase)
		p.WorkFactor = a.workFactor
		return p, err
	}
	return form, nil
}

// choose has the new passphrase of a file from the flags or typed twice.
func (f *keyFlags) choose(a *app, file string) (string, error) {
	if f.secret.read != nil {
		return f.secret.read(file)
	}
	first, err := a.prompt.ask("new passphrase of " + file + ": ")
	if err != nil {
		return "", err
	}
	again, err := a.prompt.ask("the same again: ")
	if err == nil && first != again {
		err = hintf(errors.New("the two passphrases differ"), "nothing is written; repeat the command")
	}
	return first, err
}

// protectedWord says in a line how a new key lies in its file.
func protectedWord(form agent.KeyForm) string {
	if form.Protect != nil {
		return "the private key is protected by its passphrase"
	}
	return inClear
}

// protectedWords is protectedWord for several keys.
func protectedWords(form agent.KeyForm) string {
	if form.Protect != nil {
		return "the keys are protected by their passphrases"
	}
	return "the keys are in clear, readable by their owner only"
}

// prompter asks a person at a terminal.
type prompter struct {
	ctx  context.Context // of the run of the program that asks
	in   io.Reader
	out  io.Writer
	term *term.Terminal // made with the first question, so that what is typed ahead stays
}

// possible reports whether a person can be asked.
func (p *prompter) possible() bool {
	f, ok := p.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ask reads a line that is not shown. Ctrl-C and the end of the run end it with
// context.Canceled. The terminal is raw meanwhile: read in its usual mode, an
// interrupt would not come before the line is complete.
func (p *prompter) ask(question string) (string, error) {
	line, err := p.line(func(t *term.Terminal) (string, error) { return t.ReadPassword(question) })
	if err != nil {
		return "", fmt.Errorf("asking for a passphrase: %w", err)
	}
	return line, nil
}

// line reads a line in the way that read says.
func (p *prompter) line(read func(*term.Terminal) (string, error)) (string, error) {
	fd := int(p.in.(*os.File).Fd()) // possible was asked
	state, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(fd, state) //nolint:errcheck // nothing is left to try
	if p.term == nil {
		p.term = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{typed{p.ctx, fd}, p.out}, "")
	}
	line, err := read(p.term)
	if errors.Is(err, io.EOF) { // Ctrl-C or Ctrl-D
		err = context.Canceled
	}
	return line, err
}

// typed reads a terminal until a context ends.
type typed struct {
	ctx context.Context
	fd  int
}

// pollEvery is how often a reader of a terminal looks for the end of its run, in
// ms.
const pollEvery = 100

func (t typed) Read(p []byte) (int, error) {
	for {
		if err := t.ctx.Err(); err != nil {
			return 0, err
		}
		ready := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		switch n, err := unix.Poll(ready, pollEvery); {
		case err != nil && !errors.Is(err, unix.EINTR):
			return 0, err
		case n <= 0:
			continue
		}
		n, err := unix.Read(t.fd, p)
		if n <= 0 && err == nil {
			return 0, io.EOF
		}
		return max(n, 0), err
	}
}
