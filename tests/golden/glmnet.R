# Elastic nets by glmnet, the numbers that tests/test_agreement_glmnet.py holds logreg against.
#
# Rscript tests/golden/glmnet.R, from the project's folder, writes tests/golden/glmnet.csv.
suppressMessages(library(glmnet))
glmnet.control(fdev = 0, devmax = 1)
read <- function(name, outcome, columns) {
  frame <- read.csv(file.path("datasets", name))
  frame <- frame[complete.cases(frame[, c(outcome, columns)]), ]
  list(X = as.matrix(frame[, columns]), y = frame[[outcome]], weights = rep(1, nrow(frame)))
}
anes <- read("anes96.csv", "vote", c("popul", "TVnews", "selfLR", "ClinLR", "DoleLR", "PID", "age", "educ", "income"))
nhefs <- read("nhefs_death.csv", "death", c("qsmk", "age", "smokeintensity", "smokeyrs", "wt71"))
nhefs$weights <- 1 + nhefs$X[, "qsmk"]
cancer <- read("wdbc.csv", "malignant", names(read.csv("datasets/wdbc.csv", nrows = 1))[1:30])
endometrial <- read("endometrial.csv", "HG", c("NV", "PI", "EH"))
found <- list()
data <- list(anes96 = anes, nhefs = nhefs, breast_cancer = cancer, endometrial = endometrial)
for (name in names(data)) for (l1_ratio in c(1, 0.5)) {
  set <- data[[name]]
  fit <- function(lambda) {
    glmnet(set$X, set$y, family = "binomial", weights = set$weights, alpha = l1_ratio, lambda = lambda,
           standardize = TRUE, thresh = 1e-20, maxit = 1e9)
  }
  largest <- max(glmnet(set$X, set$y, family = "binomial", weights = set$weights, alpha = l1_ratio, nlambda = 5)$lambda)
  lambdas <- largest * c(0.5, 0.1, 0.02)
  estimates <- as.matrix(coef(fit(lambdas)))
  for (k in seq_along(lambdas)) {
    found[[length(found) + 1]] <- data.frame(
      data = name, l1_ratio = l1_ratio, penalty = lambdas[k], term = c("intercept", colnames(set$X)), estimate = estimates[, k]
    )
  }
}
found <- do.call(rbind, found)
found$penalty <- sprintf("%.17g", found$penalty)
found$estimate <- sprintf("%.17g", found$estimate)
write.csv(found, "tests/golden/glmnet.csv", row.names = FALSE, quote = FALSE)
