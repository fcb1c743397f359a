# Tests and exact profile intervals by R's glm, the numbers that tests of logreg.inference are held against.
#
# Rscript tests/golden/intervals.R, from the project's folder, writes tests/golden/intervals.json and hypotheses.json.
suppressMessages(library(jsonlite))
exact <- glm.control(epsilon = 1e-15, maxit = 100)
orings <- read.csv("datasets/challenger_orings.csv")
nhefs <- read.csv("datasets/nhefs_death.csv")
anes <- read.csv("datasets/anes96.csv")
penguins <- read.csv("datasets/penguins_sex.csv", stringsAsFactors = TRUE)
formulas <- list(
  orings = distress ~ Temperature,
  nhefs = death ~ .,
  anes96 = vote ~ .
)
data <- list(orings = orings, nhefs = nhefs, anes96 = anes)
# Ends of profiles: uniroot on the deviance of fits in which b x_j is an offset. R's confint interpolates instead.
ends <- function(name) {
  fit <- glm(formulas[[name]], binomial, data[[name]], control = exact)
  X <- model.matrix(fit); y <- fit$y; se <- sqrt(diag(vcov(fit))); chi <- qchisq(0.95, 1)
  found <- lapply(colnames(X), function(term) {
    others <- X[, colnames(X) != term, drop = FALSE]
    over <- function(b) glm.fit(others, y, family = binomial(), offset = b * X[, term], control = exact)$deviance - fit$deviance - chi
    b <- coef(fit)[term]
    low <- uniroot(over, c(b - 5 * se[term], b), tol = 1e-13 * se[term])$root
    high <- uniroot(over, c(b, b + 5 * se[term]), tol = 1e-13 * se[term])$root
    list(term = if (term == "(Intercept)") "intercept" else term, low = low, high = high)
  })
  do.call(rbind.data.frame, found)
}
command <- "Rscript tests/golden/intervals.R"
profile <- lapply(setNames(names(formulas), names(formulas)), ends)
write(toJSON(list(command = command, profile = profile), digits = I(16), auto_unbox = TRUE, pretty = TRUE), "tests/golden/intervals.json")
tables <- lapply(list(
  nhefs = glm(death ~ ., binomial, nhefs, control = exact),
  penguins = glm(sex == "male" ~ species + island + bill_length_mm + body_mass_g, binomial, penguins, control = exact)
), function(fit) {
  lrt <- drop1(fit, test = "LRT"); rao <- drop1(fit, test = "Rao")
  data.frame(term = rownames(lrt)[-1], df = lrt$Df[-1], deviance = lrt$Deviance[-1], AIC = lrt$AIC[-1], LRT = lrt$LRT[-1],
             p_value = lrt[["Pr(>Chi)"]][-1], rao = rao[["Rao score"]][-1])
})
write(toJSON(list(command = command, drop1 = tables), digits = I(16), auto_unbox = TRUE, pretty = TRUE), "tests/golden/hypotheses.json")
