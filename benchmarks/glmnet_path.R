# One path by glmnet: Rscript glmnet_path.R FOLDER ENOUGH REPETITIONS.
#
# The folder holds numbers as binary doubles and integers, "about" says how many; the answers go there too. Each line of
# the standard input is a thresh, or "default"; to each it says how many seconds the fits took, repeated until that has
# taken ENOUGH seconds, but so often at most.
suppressMessages(library(glmnet))
given <- commandArgs(trailingOnly = TRUE)
folder <- given[1]
numbers <- function(name, what, n) readBin(file.path(folder, name), what, n)
about <- numbers("about", "double", 6)
n <- about[1]; d <- about[2]; m <- about[3]; l1_ratio <- about[4]; stored <- about[5]; is_sparse <- about[6] == 1
y <- numbers("y", "integer", n)
penalties <- numbers("penalties", "double", m)
X <- if (is_sparse) {
  new("dgCMatrix", x = numbers("data", "double", stored), i = numbers("indices", "integer", stored),
      p = numbers("indptr", "integer", d + 1), Dim = as.integer(c(n, d)))
} else matrix(numbers("data", "double", n * d), n, d)
glmnet.control(fdev = 0, devmax = 1)
thresholds <- file("stdin", open = "r")
cat("ready\n")
while (length(said <- readLines(thresholds, n = 1)) == 1) {
  thresh <- if (said == "default") 1e-7 else as.numeric(said)
  seconds <- numeric(0)
  while (sum(seconds) < as.numeric(given[2]) && length(seconds) < as.integer(given[3])) {
    start <- proc.time()[["elapsed"]]
    fit <- suppressWarnings(glmnet(X, y, family = "binomial", alpha = l1_ratio, lambda = penalties,
                                   standardize = FALSE, thresh = thresh, maxit = 1e8))
    seconds <- c(seconds, proc.time()[["elapsed"]] - start)
  }
  found <- as(fit$beta, "CsparseMatrix")
  writeBin(found@x, file.path(folder, "coefs.data"))
  writeBin(found@i, file.path(folder, "coefs.indices"))
  writeBin(found@p, file.path(folder, "coefs.indptr"))
  writeBin(as.double(fit$a0), file.path(folder, "intercepts"))
  cat("[", paste(seconds, collapse = ","), "]\n", sep = "")
}
