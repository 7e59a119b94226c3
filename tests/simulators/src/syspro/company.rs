//! One company: its masters, its sub-ledgers and what was posted (SY 5.2, 6.5, 9.2).

use super::keys::normal;
use jiff::civil::Date;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// A year and a month, or a fiscal year and a period number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    /// Four digits.
    pub year: i16,
    /// Month, or period number.
    pub number: i8,
}

impl Period {
    /// The period before.
    #[must_use]
    pub fn before(self) -> Self {
        if self.number > 1 {
            Self {
                year: self.year,
                number: self.number - 1,
            }
        } else {
            Self {
                year: self.year - 1,
                number: 12,
            }
        }
    }
}

/// A customer (table ArCustomer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Presented form of the key, e.g. `0000417`.
    pub code: String,
    /// The elements of ARSSCS by name.
    pub fields: BTreeMap<String, String>,
    /// Number of the last `_CRDnn` invoice (SY 4.1).
    pub(crate) credits: u32,
}

impl Customer {
    /// One element; empty if it was never set.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// A one-letter flag that counts as Y unless it says N.
    pub(crate) fn allows(&self, flag: &str) -> bool {
        self.field(flag) != "N"
    }
}

/// An invoice (table ArInvoice).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Normalised customer key.
    pub customer: String,
    /// Number.
    pub number: String,
    /// I, C or D.
    pub document_type: char,
    /// Date.
    pub date: Date,
    /// Value in the customer's currency.
    pub value: Decimal,
    /// What is still open; negative for credit held.
    pub balance: Decimal,
    /// Terms discount and the last day on which it is granted (SY 4.1, DiscountValue absent).
    pub terms_discount: Option<(Decimal, Date)>,
    /// Customer's order number; for `_CRDnn` the text of the unapplied payment.
    pub purchase_order: String,
    /// Accounting month.
    pub period: Period,
}

/// A payment or adjustment against an invoice (table ArInvoicePay).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvoicePay {
    pub(crate) customer: String,
    pub(crate) invoice: String,
    pub(crate) document_type: char,
    pub(crate) entry: usize,
    pub(crate) kind: char,
    pub(crate) date: Date,
    pub(crate) journal: String,
    pub(crate) reference: String,
    pub(crate) value: Decimal,
    pub(crate) discount: Decimal,
    pub(crate) period: Period,
    pub(crate) currency: String,
    pub(crate) notation: String,
}

/// What was received, as it stands in the AR cash journal. This is what a checker compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Company id.
    pub company: String,
    /// Presented customer code; empty for a miscellaneous receipt.
    pub customer: String,
    /// Reference as stored.
    pub reference: String,
    /// In the customer's currency.
    pub amount: Decimal,
    /// ISO code of that currency.
    pub currency: String,
    /// Payment date.
    pub date: Date,
    /// Accounting period.
    pub period: Period,
    /// Bank, where the site uses deposit slips.
    pub bank: String,
    /// AR journal.
    pub journal: String,
    /// JournalNotation.
    pub notation: String,
    /// PaymentNarration.
    pub narration: String,
    /// Invoices it was distributed to, with the amounts; `_CRDnn` for what was not applied.
    pub distribution: Vec<(String, Decimal)>,
    /// The GL part failed (SY 4.1, GlJournalError).
    pub gl_failed: bool,
}

/// A bank (table ApBank).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bank {
    /// Code.
    pub code: String,
    /// Description.
    pub description: String,
    /// SYSPRO currency code.
    pub currency: String,
}

/// A cash book transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CashEntry {
    /// Bank code.
    pub bank: String,
    /// Accounting period.
    pub period: Period,
    /// CbTrnDate.
    pub date: Date,
    /// CbTrnTime, eight digits.
    pub time: String,
    /// D or W.
    pub kind: char,
    /// Reference.
    pub reference: String,
    /// Value, positive.
    pub value: Decimal,
    /// TransactionDate.
    pub transaction_date: Date,
    /// Narration.
    pub narration: String,
    /// Reconciled.
    pub reconciled: bool,
    /// Journal.
    pub journal: String,
    /// Entry in the journal.
    pub entry: usize,
    /// Ledger codes with their values.
    pub lines: Vec<(String, Decimal)>,
}

/// A ledger code (table GenMaster).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerCode {
    /// Code.
    pub code: String,
    /// Description.
    pub description: String,
    /// A control account gives a warning in journals (SY 4.10).
    pub control: bool,
    /// On hold: refused.
    pub on_hold: bool,
}

/// A GL journal (tables GenJournalCtl and GenJournalDetail).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlJournal {
    /// Fiscal year and period.
    pub period: Period,
    /// Ten digits.
    pub number: String,
    /// JournalReference.
    pub reference: String,
    /// Notation.
    pub notation: String,
    /// JournalDate.
    pub date: Date,
    /// JournalType.
    pub kind: String,
    /// P posted, blank otherwise.
    pub status: &'static str,
    /// Authorised.
    pub authorised: bool,
    /// Who posted it.
    pub operator: String,
    /// Lines; positive debit, negative credit.
    pub lines: Vec<GlLine>,
}

/// A line of a GL journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlLine {
    /// Ledger code.
    pub code: String,
    /// Reference.
    pub reference: String,
    /// Positive debit, negative credit.
    pub amount: Decimal,
    /// Comment.
    pub comment: String,
    /// Date.
    pub date: Date,
}

/// A labour transaction (WIPTLP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labour {
    /// Accounting period.
    pub period: Period,
    /// Journal.
    pub journal: String,
    /// Entry.
    pub entry: usize,
    /// Job, or empty.
    pub job: String,
    /// NonProductiveCode, or empty.
    pub non_productive: String,
    /// Employee.
    pub employee: String,
    /// Run time hours.
    pub hours: Decimal,
    /// Reference.
    pub reference: String,
    /// Date.
    pub date: Date,
}

/// A custom form field that the site has defined (SY 4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// CUS, STK …
    pub form: String,
    /// Up to six characters.
    pub name: String,
    /// Column of the `+` table.
    pub column: String,
    /// A, N or D.
    pub kind: char,
    /// Longest alphanumeric value.
    pub length: usize,
}

/// One company.
#[derive(Debug, Clone)]
pub struct Company {
    /// Up to four characters.
    pub id: String,
    /// Name.
    pub name: String,
    /// Company password, may be blank.
    pub password: String,
    /// Local currency, SYSPRO code.
    pub local_currency: String,
    /// SYSPRO currency codes are free text (SY 9.2): code → ISO.
    pub currencies: BTreeMap<String, String>,
    /// Customer keys are numeric and presented with so many digits; `None`: alphanumeric (SY 9.1).
    pub numeric_customers: Option<usize>,
    /// Current accounting month of AR and cash book.
    pub period: Period,
    /// Current fiscal year and period of the general ledger; its numbers need not be months (SY 10 no. 12).
    pub gl_period: Period,
    /// Closed accounting months and fiscal periods.
    pub closed: BTreeSet<Period>,
    /// Banks.
    pub banks: Vec<Bank>,
    /// Ledger codes.
    pub ledger: Vec<LedgerCode>,
    /// Jobs that labour can be posted to.
    pub jobs: BTreeSet<String>,
    /// Custom form fields.
    pub form_fields: Vec<FormField>,
    pub(crate) customers: BTreeMap<String, Customer>,
    /// By customer and number.
    pub(crate) invoices: BTreeMap<(String, String), Invoice>,
    /// Last entry number of each invoice in ArInvoicePay.
    pub(crate) entries: BTreeMap<(String, String), usize>,
    pub(crate) pays: Vec<InvoicePay>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) cash: Vec<CashEntry>,
    pub(crate) journals: Vec<GlJournal>,
    pub(crate) labour: Vec<Labour>,
    /// (form, normalised key, column) → value.
    pub(crate) form_values: BTreeMap<(String, String, String), String>,
    /// Masters kept by the set-up objects: (root, key) → elements.
    pub(crate) masters: BTreeMap<(String, String), BTreeMap<String, String>>,
    pub(crate) numbers: BTreeMap<(&'static str, Period), u64>,
}

impl Company {
    /// An empty company with a local currency, a bank `GC` and the ledger codes of the sheet's examples.
    pub fn new(id: &str, period: Period) -> Self {
        let code = |code: &str, description: &str, control: bool| LedgerCode {
            code: code.to_owned(),
            description: description.to_owned(),
            control,
            on_hold: false,
        };
        Self {
            id: id.to_owned(),
            name: "Halden Manufacturing".to_owned(),
            password: String::new(),
            local_currency: "GBP".to_owned(),
            currencies: ["GBP", "EUR", "USD", "AUD", "CAD", "DKK", "NZD", "SEK"]
                .map(|code| (code.to_owned(), code.to_owned()))
                .into(),
            numeric_customers: Some(7),
            period,
            gl_period: period,
            closed: BTreeSet::new(),
            banks: vec![
                Bank {
                    code: "GC".to_owned(),
                    description: "Direct debit clearing".to_owned(),
                    currency: "GBP".to_owned(),
                },
                Bank {
                    code: "NB".to_owned(),
                    description: "National bank".to_owned(),
                    currency: "GBP".to_owned(),
                },
            ],
            ledger: vec![
                code("10-1190", "Transfer", false),
                code("10-1200", "Debtors control", true),
                code("10-6110", "Wages", false),
                code("10-6910", "Bank charges", false),
                code("00-2310", "Net pay clearing", false),
            ],
            jobs: BTreeSet::new(),
            form_fields: Vec::new(),
            customers: BTreeMap::new(),
            invoices: BTreeMap::new(),
            entries: BTreeMap::new(),
            pays: Vec::new(),
            receipts: Vec::new(),
            cash: Vec::new(),
            journals: Vec::new(),
            labour: Vec::new(),
            form_values: BTreeMap::new(),
            masters: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// Adds a customer as an administrator does.
    pub fn add_customer(&mut self, code: &str, name: &str, currency: &str) -> &mut Customer {
        let fields = [
            ("Name", name),
            ("ShortName", ""),
            ("Currency", currency),
            ("CustomerOnHold", "N"),
            ("PaymentsAllowed", "Y"),
            ("UnappPayAllowed", "Y"),
            ("DrNotesAllowed", "Y"),
            ("CrNotesAllowed", "Y"),
            ("BalanceType", "I"),
            ("TermsCode", "30"),
            ("Branch", "10"),
            ("Area", "N"),
            ("Salesperson", "100"),
            ("CreditLimit", "0"),
        ];
        let fields = fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let customer = Customer {
            code: code.to_owned(),
            fields,
            credits: 0,
        };
        self.customers
            .entry(normal(code))
            .insert_entry(customer)
            .into_mut()
    }

    /// A customer by any form of the key.
    pub fn customer(&self, code: &str) -> Option<&Customer> {
        self.customers.get(&normal(code))
    }

    /// A customer by any form of the key, to change.
    pub fn customer_mut(&mut self, code: &str) -> Option<&mut Customer> {
        self.customers.get_mut(&normal(code))
    }

    /// Adds an open invoice.
    pub fn add_invoice(
        &mut self,
        customer: &str,
        number: &str,
        date: Date,
        value: Decimal,
    ) -> &mut Invoice {
        let invoice = Invoice {
            customer: normal(customer),
            number: number.to_owned(),
            document_type: 'I',
            date,
            value,
            balance: value,
            terms_discount: None,
            purchase_order: String::new(),
            period: self.period,
        };
        self.put_invoice(invoice)
    }

    /// Puts an invoice on file.
    pub(crate) fn put_invoice(&mut self, invoice: Invoice) -> &mut Invoice {
        let key = (invoice.customer.clone(), invoice.number.clone());
        self.invoices.entry(key).insert_entry(invoice).into_mut()
    }

    /// An invoice of a customer, by any form of the customer's key.
    pub fn invoice(&self, customer: &str, number: &str) -> Option<&Invoice> {
        self.invoices.get(&(normal(customer), number.to_owned()))
    }

    /// An invoice of a customer, to change.
    pub(crate) fn invoice_mut(&mut self, customer: &str, number: &str) -> Option<&mut Invoice> {
        self.invoices
            .get_mut(&(normal(customer), number.to_owned()))
    }

    /// All invoices of a customer.
    pub(crate) fn invoices_of(&self, customer: &str) -> impl Iterator<Item = &Invoice> + Clone {
        let from = (customer.to_owned(), String::new());
        let own = self.invoices.range(from..).map(|(_, invoice)| invoice);
        own.take_while(move |invoice| invoice.customer == customer)
    }

    /// The next entry number of an invoice, the last part of the key of ArInvoicePay (SY 5.2).
    pub(crate) fn next_entry(&mut self, customer: &str, invoice: &str) -> usize {
        let key = (customer.to_owned(), invoice.to_owned());
        let entry = self.entries.entry(key).or_insert(0);
        *entry += 1;
        *entry
    }

    /// Removes paid-off invoices and their payments, as the monthly purge does (SY 5.2).
    pub fn purge_paid_invoices(&mut self) {
        self.invoices
            .retain(|_, invoice| !invoice.balance.is_zero());
        let kept = &self.invoices;
        self.pays
            .retain(|pay| kept.contains_key(&(pay.customer.clone(), pay.invoice.clone())));
    }

    /// Everything received, in posting order.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The cash book, in posting order.
    pub fn cash_book(&self) -> &[CashEntry] {
        &self.cash
    }

    /// All GL journals.
    pub fn gl_journals(&self) -> &[GlJournal] {
        &self.journals
    }

    /// All labour transactions.
    pub fn labour(&self) -> &[Labour] {
        &self.labour
    }

    /// Fills a custom form field in, as a person at the screen does.
    pub fn set_form_value(&mut self, form: &str, key: &str, column: &str, value: &str) {
        let place = (form.to_owned(), normal(key), column.to_owned());
        self.form_values.insert(place, value.to_owned());
    }

    /// The value of a custom form column.
    pub fn form_value(&self, form: &str, key: &str, column: &str) -> Option<&str> {
        let place = (form.to_owned(), normal(key), column.to_owned());
        self.form_values.get(&place).map(String::as_str)
    }

    /// One element of a master kept by a set-up object, e.g. `("SetupBomEmployee", "W00417", "Name")`.
    pub fn master(&self, root: &str, key: &str, element: &str) -> Option<&str> {
        let elements = self.masters.get(&(root.to_owned(), key.to_owned()))?;
        elements.get(element).map(String::as_str)
    }

    /// How many masters a set-up object keeps.
    pub fn master_count(&self, root: &str) -> usize {
        self.masters.keys().filter(|(own, _)| own == root).count()
    }

    /// The accounting month that a C, P or B names (SY 3.6).
    pub(crate) fn period_of(&self, flag: &str) -> Period {
        match flag {
            "P" => self.period.before(),
            "B" => self.period.before().before(),
            _ => self.period,
        }
    }

    /// The next journal number of a module in a period: numbers repeat across periods (SY 10 no. 19).
    pub(crate) fn next_journal(
        &mut self,
        module: &'static str,
        period: Period,
        digits: usize,
    ) -> String {
        let number = self.numbers.entry((module, period)).or_insert(0);
        *number += 1;
        format!("{number:0digits$}")
    }

    /// ISO code of a SYSPRO currency code.
    pub(crate) fn iso(&self, code: &str) -> String {
        self.currencies
            .get(code)
            .cloned()
            .unwrap_or_else(|| code.to_owned())
    }
}
